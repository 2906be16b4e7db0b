/* tidy: pretend src/steps/bad.c */
void bad(void)
{
    sleep(1);
}
