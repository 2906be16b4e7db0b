/* tidy: pretend src/base/a.c */
static void twice(void)
{
}
/* tidy: pretend src/model/b.c */
static int twice(void)
{
}
