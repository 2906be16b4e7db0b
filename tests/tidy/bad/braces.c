/* tidy: pretend src/base/bad.c */
void bad(void)
{
    if (a(b)) return;
}
