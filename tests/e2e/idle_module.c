/*
 * tests/e2e/idle_module.c - a module for servers that does nothing but be loaded.
 *
 * Without the servers' header, and without libc, so that it loads into servers of any suite: the
 * context of a module begins with the function that finds all others by name (redis.io, "Modules
 * API").
 */
typedef int find_function(const char *name, void *ret_function);
typedef void set_attributes(void *context, const char *name, int version, int api_version);

int RedisModule_OnLoad(void *context, void **argv, int argc);

int RedisModule_OnLoad(void *context, void **argv, int argc)
{
    find_function *find = *(find_function **)context;
    set_attributes *set = 0;
    (void)argv;
    (void)argc;
    if (find("RedisModule_SetModuleAttribs", (void *)&set) != 0) {
        return 1;
    }
    set(context, "idle", 7, 1);
    return 0;
}
