/* tidy: pretend src/base/bad.c */
void bad(void)
{
    int x = rand();
}
