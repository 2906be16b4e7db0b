/* tidy: pretend src/base/bad.h */
#ifndef UPSHIFT_BASE_BAD_H
#define UPSHIFT_BASE_BAD_H
#endif
