/* nothing.c: the program fork+exec starts; built static and dynamic. */
int main(void) { return 0; }
