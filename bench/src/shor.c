/* shor.c: Shor's algorithm on libquantum's simulator, as SPEC's libquantum does. shor NUMBER BASE; prints what was measured and the period found. */
#include <quantum.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 15, x = argc > 2 ? atoi(argv[2]) : 7, a, b;
    int width = quantum_getwidth(n * n), small = quantum_getwidth(n);
    quantum_reg reg = quantum_new_qureg(0, width);

    srand(1);
    for (int i = 0; i < width; i++)
        quantum_hadamard(i, &reg);
    quantum_addscratch(3 * small + 2, &reg);
    quantum_exp_mod_n(n, x, width, small, &reg);
    for (int i = 0; i < 3 * small + 2; i++)
        quantum_bmeasure(0, &reg);
    quantum_qft(width, &reg);
    for (int i = 0; i < width / 2; i++) {
        quantum_cnot(i, width - i - 1, &reg);
        quantum_cnot(width - i - 1, i, &reg);
        quantum_cnot(i, width - i - 1, &reg);
    }
    a = (int)quantum_measure(reg);
    b = 1 << width;
    printf("measured %d", a);
    quantum_frac_approx(&a, &b, width);
    printf(", period divides %d\n", b);
    quantum_delete_qureg(&reg);
    return 0;
}
