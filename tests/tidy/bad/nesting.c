/* tidy: pretend src/base/bad.c */
void bad(void)
{
    if (a) {
        for (;;) {
            while (b) {
                if (c) {
                    d();
                }
            }
        }
    }
}
