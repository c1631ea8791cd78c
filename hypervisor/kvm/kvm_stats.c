/*
 * kvm_stats.c: KVM's own counters of a vCPU, by the binary statistics interface (Linux 5.14; Documentation/virt/kvm/api.rst 4.133).
 */
#include <hypervisor/kvm/kvm_impl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DESCRIPTORS_MAX 1024u
#define NAME_MAX_BYTES  256u

static uint64_t find(int fd, const struct kvm_stats_header *h, const char *name)
{
    size_t each = sizeof(struct kvm_stats_desc) + h->name_size;
    struct kvm_stats_desc *d = malloc(each);
    uint64_t value = 0;

    for (uint32_t i = 0; d != NULL && i < h->num_desc; i++) {
        if (pread(fd, d, each, (off_t)(h->desc_offset + i * each)) != (ssize_t)each)
            break;
        if (strncmp(d->name, name, h->name_size) != 0)
            continue;
        if (pread(fd, &value, sizeof(value), (off_t)h->data_offset + d->offset) != sizeof(value))
            value = 0;
        break;
    }
    free(d);
    return value;
}

uint64_t kvm_vcpu_stat(const struct kvm_state *k, const char *name)
{
    struct kvm_stats_header h;
    uint64_t value = 0;
    int fd = k->vcpu_fd >= 0 ? ioctl(k->vcpu_fd, KVM_GET_STATS_FD, NULL) : -1;

    if (fd < 0)
        return 0;
    if (pread(fd, &h, sizeof(h), 0) == sizeof(h) && h.num_desc <= DESCRIPTORS_MAX && h.name_size <= NAME_MAX_BYTES)
        value = find(fd, &h, name);
    close(fd);
    return value;
}
