/* matmul.c: dense matrix product in double precision, blocked. matmul SIZE TIMES; prints the trace and a corner. */
#include <stdio.h>
#include <stdlib.h>

#define BLOCK 32

int main(int argc, char **argv)
{
    size_t n = argc > 1 ? (size_t)atoi(argv[1]) : 256, times = argc > 2 ? (size_t)atoi(argv[2]) : 1;
    double *a = malloc(n * n * sizeof(double)), *b = malloc(n * n * sizeof(double)), *c = calloc(n * n, sizeof(double)), trace = 0;
    if (!a || !b || !c || n == 0 || n % BLOCK)
        return 1;
    for (size_t i = 0; i < n * n; i++)
        a[i] = (double)(i % 113) / 113, b[i] = (double)(i % 127) / 127;
    for (size_t t = 0; t < times; t++)
        for (size_t ii = 0; ii < n; ii += BLOCK)
            for (size_t kk = 0; kk < n; kk += BLOCK)
                for (size_t jj = 0; jj < n; jj += BLOCK)
                    for (size_t i = ii; i < ii + BLOCK; i++)
                        for (size_t k = kk; k < kk + BLOCK; k++) {
                            double x = a[i * n + k];
                            for (size_t j = jj; j < jj + BLOCK; j++)
                                c[i * n + j] += x * b[k * n + j];
                        }
    for (size_t i = 0; i < n; i++)
        trace += c[i * n + i];
    printf("%.9e %.9e\n", trace, c[n * n - 1]);
    return 0;
}
