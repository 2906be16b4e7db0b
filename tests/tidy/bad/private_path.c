/* tidy: pretend src/base/bad.c */
const char *x = "x"; /* see /root/notes */
