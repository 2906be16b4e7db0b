/* tidy: pretend src/steps/bad.c */
void bad(void)
{
    char *x = malloc(1);
}
