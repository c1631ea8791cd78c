/*
 * fence.c: see fence.h.
 */
#include <devices/virtio/fence.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool membarrier(int command)
{
    return syscall(SYS_membarrier, command, 0, 0) == 0;
}

/* Where the host forbids membarrier: taking a right away from a page makes the kernel interrupt every processor that has this address
 * space. */
static void shoot_down(void)
{
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return;
    *(volatile char *)page = 1;
    mprotect(page, 4096, PROT_READ);
    munmap(page, 4096);
}

void guest_fence(void)
{
    atomic_thread_fence(memory_order_seq_cst);
    if (!membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) && /* EPERM: the process has not said yet that it will do this */
        !(errno == EPERM && membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) && membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED)))
        shoot_down();
    atomic_thread_fence(memory_order_seq_cst);
}
