/* tidy: pretend src/steps/bad.c */
void bad(void)
{
    clock_gettime(CLOCK_REALTIME, &now);
}
