/* payload.h: which case the payload kernel runs (vm_shared.entry_r[0]); shared by payload.c and kvm_test.c. */
#ifndef TESTS_KVM_PAYLOAD_H
#define TESTS_KVM_PAYLOAD_H

enum payload_case {
    CASE_START,   /* registers and processor features at the start */
    CASE_MAP,     /* mapped pages are the RAM pages asked for */
    CASE_FAULT,   /* a fault is reported exactly and resumed with all registers */
    CASE_PROTECT, /* rights given and taken */
    CASE_REMAP,   /* replaced mappings, few and many, after a flush */
    CASE_UNMAP,   /* unmapping pages and windows */
    CASE_LARGE,   /* 2 MiB pages: made, split, replaced */
    CASE_WINDOWS, /* windows do not see each other */
    CASE_POOL,    /* more tables than there are pages for them */
    CASE_RANDOM,  /* random operations against a model */
    CASE_COST,    /* measure and print */
    CASE_TSC,     /* the VM's TSC is the host's: req.value = it */
    CASE_SPIN,    /* publish the poll word, wait for it */
    CASE_HANG,    /* never look at anything again */
    /* deaths */
    CASE_NULL,
    CASE_UD,
    CASE_DIVIDE,
    CASE_GP,
    CASE_PORT,
    CASE_EXEC_WINDOW,
    CASE_STACK,
    CASE_WRITE_TEXT,
    CASE_REFUSED,
    CASE_NESTED,
    CASE_TRIPLE,
};

#define TEST_RAM     (64u << 20)
#define TEST_WINDOWS 96u

#endif
