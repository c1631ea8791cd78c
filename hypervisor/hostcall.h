/*
 * hostcall.h: serving the engine's requests (include/armlet/abi.h), the same for every accelerator.
 */
#ifndef HYPERVISOR_HOSTCALL_H
#define HYPERVISOR_HOSTCALL_H

struct vm;

enum hostcall_result {
    HOSTCALL_RESUME, /* the answer stands in vm->shared->req: go on with the engine */
    HOSTCALL_STOP,   /* the guest is over; the reason is recorded in vm->stop. Do not return to the engine. */
};

/* Serve vm->shared->req. vCPU thread only. Nothing in the request is trusted. */
enum hostcall_result hostcall_serve(struct vm *vm);

#endif
