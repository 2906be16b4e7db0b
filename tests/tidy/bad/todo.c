/* tidy: pretend src/base/bad.c */
/* TODO: later */
