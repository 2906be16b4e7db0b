/* tidy: pretend tests/unit/base/test_nobody_lists_me.c */
int main(void)
{
    return 0;
}
