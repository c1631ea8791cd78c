/* lbm.c: lattice-Boltzmann flow (D3Q19, BGK) in double precision over a periodic box with a moving body force. lbm SIZE STEPS; prints mass and momentum. */
#include <stdio.h>
#include <stdlib.h>

#define Q 19

static const int direction[Q][3] = {{0, 0, 0},  {1, 0, 0},  {-1, 0, 0},  {0, 1, 0},  {0, -1, 0}, {0, 0, 1},  {0, 0, -1},
                                    {1, 1, 0},  {-1, -1, 0}, {1, -1, 0}, {-1, 1, 0}, {1, 0, 1},  {-1, 0, -1}, {1, 0, -1},
                                    {-1, 0, 1}, {0, 1, 1},  {0, -1, -1}, {0, 1, -1}, {0, -1, 1}};
static double weight(int q) { return q == 0 ? 1.0 / 3 : q < 7 ? 1.0 / 18 : 1.0 / 36; }

/* wrap[i + 1] = i modulo n, for i from -1 to n: no division in the loops, as in programs of this kind */
static void step(const double *from, double *to, int n, const int *wrap, double force)
{
    const double omega = 1.7;
    for (int z = 0; z < n; z++)
        for (int y = 0; y < n; y++)
            for (int x = 0; x < n; x++) {
                const double *f = from + (size_t)((z * n + y) * n + x) * Q;
                double rho = 0, ux = 0, uy = 0, uz = 0;
                for (int q = 0; q < Q; q++) {
                    rho += f[q];
                    ux += f[q] * direction[q][0];
                    uy += f[q] * direction[q][1];
                    uz += f[q] * direction[q][2];
                }
                ux = ux / rho + (z == n / 2 ? force : 0);
                uy /= rho;
                uz /= rho;
                double u2 = 1.5 * (ux * ux + uy * uy + uz * uz);
                for (int q = 0; q < Q; q++) {
                    double eu = 3 * (direction[q][0] * ux + direction[q][1] * uy + direction[q][2] * uz);
                    double equilibrium = weight(q) * rho * (1 + eu + 0.5 * eu * eu - u2);
                    int tx = wrap[x + direction[q][0] + 1], ty = wrap[y + direction[q][1] + 1], tz = wrap[z + direction[q][2] + 1];
                    to[(size_t)((tz * n + ty) * n + tx) * Q + (size_t)q] = f[q] + omega * (equilibrium - f[q]);
                }
            }
}

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 16, steps = argc > 2 ? atoi(argv[2]) : 10;
    size_t cells = (size_t)n * (size_t)n * (size_t)n;
    double *a = malloc(cells * Q * sizeof(double)), *b = malloc(cells * Q * sizeof(double)), mass = 0, momentum = 0;
    int *wrap = malloc(((size_t)n + 2) * sizeof(int));
    if (!a || !b || !wrap || n < 2)
        return 1;
    for (int i = -1; i <= n; i++)
        wrap[i + 1] = (i + n) % n;
    for (size_t i = 0; i < cells * Q; i++)
        a[i] = weight((int)(i % Q));
    for (int s = 0; s < steps; s++) {
        step(a, b, n, wrap, 0.01 / (s + 1));
        double *t = a;
        a = b, b = t;
    }
    for (size_t i = 0; i < cells * Q; i++)
        mass += a[i], momentum += a[i] * direction[i % Q][0];
    printf("%.9e %.9e\n", mass, momentum);
    return 0;
}
