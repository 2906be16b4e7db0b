/* tidy: pretend src/base/bad.h */
/*
 * base/bad.h - bad.
 */
#ifndef BAD_H
#define BAD_H
#endif
