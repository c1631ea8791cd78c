/*
 * user_options.c: the keys of -netdev user; see user.h.
 */
#include <arpa/inet.h>
#include <devices/net/user.h>
#include <errno.h>
#include <hypervisor/error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { KIND_ON_OFF, KIND_OFF_ON, KIND_ADDR4, KIND_ADDR6, KIND_TEXT, KIND_OTHER };

struct key {
    const char *name;
    enum kind kind;
    size_t value, have;                                       /* offsets in struct net_user_config */
    int (*set)(struct net_user_config *c, const char *value); /* KIND_OTHER */
};

static int no_memory(void)
{
    error_report("there is no memory for the command line");
    return -1;
}

static bool parse_uint(const char *text, unsigned max, unsigned *out)
{
    if (*text < '0' || *text > '9')
        return false;
    char *end;
    errno = 0;
    unsigned long n = strtoul(text, &end, 10);
    *out = (unsigned)n;
    return !errno && !*end && n <= max;
}

/* The mask of a network that is given without one, as QEMU has it. */
static uint32_t default_mask(uint32_t addr)
{
    static const struct {
        uint32_t bits, value, mask;
    } classes[] = {
        {0x80000000, 0x00000000, 0xff000000}, {0xfff00000, 0xac100000, 0xfff00000}, {0xc0000000, 0x80000000, 0xffff0000},
        {0xffff0000, 0xc0a80000, 0xffff0000}, {0xffff0000, 0xc6120000, 0xfffe0000}, {0xe0000000, 0xe0000000, 0xffffff00},
    };
    for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
        if ((addr & classes[i].bits) == classes[i].value)
            return classes[i].mask;
    }
    return 0xfffffff0;
}

/* net=ADDR[/BITS or /MASK] */
static int set_net(struct net_user_config *c, const char *value)
{
    char text[64];
    snprintf(text, sizeof(text), "%s", value);
    char *slash = strchr(text, '/');
    unsigned bits;
    if (slash)
        *slash++ = 0;
    if (strlen(value) >= sizeof(text) || inet_pton(AF_INET, text, &c->net) != 1)
        goto bad;
    uint32_t addr = ntohl(c->net.s_addr), mask;
    if (!slash) {
        mask = default_mask(addr);
    } else if (parse_uint(slash, 32, &bits)) {
        mask = bits ? ~(uint32_t)0 << (32 - bits) : 0;
    } else {
        struct in_addr m;
        if (inet_pton(AF_INET, slash, &m) != 1)
            goto bad;
        mask = ntohl(m.s_addr);
    }
    if (~mask & (~mask + 1) || mask > 0xfffffff0 || mask < 0xff000000) /* holes; no room for host, name server and guest */
        goto bad;
    c->mask.s_addr = htonl(mask);
    c->net.s_addr &= c->mask.s_addr;
    c->have_net = true;
    return 1;
bad:
    error_report("'%s' is not a network for -netdev user; net= takes an address and a mask, such as 10.0.2.0/24", value);
    return -1;
}

static int set_net6(struct net_user_config *c, const char *value)
{
    char text[INET6_ADDRSTRLEN + 8];
    unsigned bits = 64;
    snprintf(text, sizeof(text), "%s", value);
    char *slash = strchr(text, '/');
    if (slash)
        *slash++ = 0;
    if (strlen(value) >= sizeof(text) || inet_pton(AF_INET6, text, &c->prefix6) != 1 ||
        (slash && (!parse_uint(slash, 126, &bits) || !bits))) {
        error_report("'%s' is not a network for -netdev user; ipv6-net= takes a prefix and its length, such as fec0::/64", value);
        return -1;
    }
    c->prefix6_len = (uint8_t)bits;
    c->have_prefix6 = true;
    return 1;
}

static int set_search(struct net_user_config *c, const char *value)
{
    if (c->n_search == NET_USER_SEARCH_MAX) {
        error_report("-netdev user takes at most %u dnssearch options", NET_USER_SEARCH_MAX);
        return -1;
    }
    c->search[c->n_search] = strdup(value);
    return c->search[c->n_search] ? (c->n_search++, 1) : no_memory();
}

/* "[ADDR]" up to `stop`; *p moves behind it. */
static bool take_addr(const char **p, char stop, struct in_addr *out)
{
    char text[INET_ADDRSTRLEN];
    const char *end = strchr(*p, stop);
    if (!end || (size_t)(end - *p) >= sizeof(text))
        return false;
    snprintf(text, sizeof(text), "%.*s", (int)(end - *p), *p);
    *p = end + 1;
    out->s_addr = 0;
    return !text[0] || inet_pton(AF_INET, text, out) == 1;
}

/* hostfwd=[tcp|udp]:[HOSTADDR]:HOSTPORT-[GUESTADDR]:GUESTPORT */
static int set_fwd(struct net_user_config *c, const char *value)
{
    struct net_user_fwd f = {0};
    const char *p = value;
    unsigned port;
    char text[8];

    if (c->n_fwd == NET_USER_FWD_MAX) {
        error_report("-netdev user takes at most %u hostfwd options", NET_USER_FWD_MAX);
        return -1;
    }
    if (!strncmp(p, "tcp:", 4) || !strncmp(p, "udp:", 4)) {
        f.udp = *p == 'u';
        p += 4;
    } else if (*p++ != ':') {
        goto bad;
    }
    const char *dash = strchr(p, '-');
    if (!dash || !take_addr(&p, ':', &f.host) || p > dash || (size_t)(dash - p) >= sizeof(text))
        goto bad;
    snprintf(text, sizeof(text), "%.*s", (int)(dash - p), p);
    if (!parse_uint(text, 65535, &port)) /* 0: the host chooses one */
        goto bad;
    f.host_port = (uint16_t)port;
    p = dash + 1;
    if (!take_addr(&p, ':', &f.guest) || !parse_uint(p, 65535, &port) || !port)
        goto bad;
    f.guest_port = (uint16_t)port;
    f.text = strdup(value);
    if (!f.text)
        return no_memory();
    c->fwd[c->n_fwd++] = f;
    return 1;
bad:
    error_report("'hostfwd=%s' is not understood; it takes [tcp|udp]:[HOSTADDR]:HOSTPORT-[GUESTADDR]:GUESTPORT, such as tcp::2222-:22",
                 value);
    return -1;
}

#define AT(field)  offsetof(struct net_user_config, field)
#define NOT_OFFSET ((size_t)-1)

static const struct key keys[] = {
    {"ipv4", KIND_OFF_ON, AT(no_ip4), NOT_OFFSET, NULL},
    {"ipv6", KIND_OFF_ON, AT(no_ip6), NOT_OFFSET, NULL},
    {"restrict", KIND_ON_OFF, AT(restricted), NOT_OFFSET, NULL},
    {"net", KIND_OTHER, 0, NOT_OFFSET, set_net},
    {"host", KIND_ADDR4, AT(host), AT(have_host), NULL},
    {"dhcpstart", KIND_ADDR4, AT(dhcp), AT(have_dhcp), NULL},
    {"dns", KIND_ADDR4, AT(dns), AT(have_dns), NULL},
    {"ipv6-net", KIND_OTHER, 0, NOT_OFFSET, set_net6},
    {"ipv6-host", KIND_ADDR6, AT(host6), AT(have_host6), NULL},
    {"ipv6-dns", KIND_ADDR6, AT(dns6), AT(have_dns6), NULL},
    {"hostname", KIND_TEXT, AT(hostname), NOT_OFFSET, NULL},
    {"domainname", KIND_TEXT, AT(domain), NOT_OFFSET, NULL},
    {"dnssearch", KIND_OTHER, 0, NOT_OFFSET, set_search},
    {"tftp", KIND_TEXT, AT(tftp), NOT_OFFSET, NULL},
    {"tftp-server-name", KIND_TEXT, AT(tftp_server), NOT_OFFSET, NULL},
    {"bootfile", KIND_TEXT, AT(bootfile), NOT_OFFSET, NULL},
    {"hostfwd", KIND_OTHER, 0, NOT_OFFSET, set_fwd},
};

int net_user_set(struct net_user_config *c, const char *key, const char *value)
{
    const struct key *k = keys;
    while (k < keys + ARRAY_LEN(keys) && strcmp(k->name, key))
        k++;
    if (k == keys + ARRAY_LEN(keys))
        return 0;
    void *at = (char *)c + k->value;
    bool on;
    switch (k->kind) {
    case KIND_ON_OFF:
    case KIND_OFF_ON:
        on = !strcmp(value, "on") || !strcmp(value, "yes") || !strcmp(value, "y");
        if (!on && strcmp(value, "off") && strcmp(value, "no") && strcmp(value, "n")) {
            error_report("-netdev user: %s takes on or off, not '%s'", key, value);
            return -1;
        }
        *(bool *)at = on == (k->kind == KIND_ON_OFF);
        return 1;
    case KIND_ADDR4:
    case KIND_ADDR6:
        if (inet_pton(k->kind == KIND_ADDR4 ? AF_INET : AF_INET6, value, at) != 1) {
            error_report("-netdev user: '%s=%s' is not an IPv%c address", key, value, k->kind == KIND_ADDR4 ? '4' : '6');
            return -1;
        }
        *(bool *)((char *)c + k->have) = true;
        return 1;
    case KIND_TEXT:
        free(*(char **)at);
        *(char **)at = strdup(value);
        return *(char **)at ? 1 : no_memory();
    case KIND_OTHER:
        break;
    }
    return k->set(c, value);
}

/* Is it an address of the guest's network that a machine can have? */
static int check4(const struct net_user_config *c, const char *key, struct in_addr a)
{
    char text[INET_ADDRSTRLEN];
    if ((a.s_addr & c->mask.s_addr) == c->net.s_addr && (a.s_addr & ~c->mask.s_addr) && (a.s_addr | c->mask.s_addr) != 0xffffffff)
        return 0;
    error_report("-netdev user: the address %s=%s is not in the guest's network", key, inet_ntop(AF_INET, &a, text, sizeof(text)));
    return -1;
}

static struct in_addr host_part(const struct net_user_config *c, uint32_t n)
{
    return (struct in_addr){c->net.s_addr | htonl(n & ~ntohl(c->mask.s_addr))};
}

static struct in6_addr host_part6(const struct net_user_config *c, uint8_t n)
{
    struct in6_addr a = c->prefix6;
    a.s6_addr[15] |= n;
    return a;
}

int net_user_complete(struct net_user_config *c)
{
    if (c->no_ip4 && c->no_ip6) {
        error_report("-netdev user: ipv4=off and ipv6=off leave nothing");
        return -1;
    }
    if (!c->have_net) {
        c->net.s_addr = htonl(0x0a000200);
        c->mask.s_addr = htonl(0xffffff00);
    }
    if (!c->have_host)
        c->host = host_part(c, 0x0202);
    if (!c->have_dns)
        c->dns = host_part(c, 0x0203);
    if (!c->have_dhcp)
        c->dhcp = host_part(c, ntohl(c->mask.s_addr) > 0xffffffe0 ? 4 : 0x020f);
    if (check4(c, "host", c->host) < 0 || check4(c, "dns", c->dns) < 0 || check4(c, "dhcpstart", c->dhcp) < 0)
        return -1;
    if (c->host.s_addr == c->dns.s_addr || c->dhcp.s_addr == c->host.s_addr || c->dhcp.s_addr == c->dns.s_addr) {
        error_report("-netdev user: host, dns and dhcpstart must be three different addresses");
        return -1;
    }
    if (!c->prefix6_len) {
        c->prefix6 = (struct in6_addr){.s6_addr = {0xfe, 0xc0}};
        c->prefix6_len = 64;
    }
    if (!c->have_host6)
        c->host6 = host_part6(c, 2);
    if (!c->have_dns6)
        c->dns6 = host_part6(c, 3);
    if (c->bootfile && strlen(c->bootfile) > 127) {
        error_report("-netdev user: the name bootfile=%s is longer than the 127 bytes that BOOTP has room for", c->bootfile);
        return -1;
    }
    return 0;
}

void net_user_free(struct net_user_config *c)
{
    free(c->hostname);
    free(c->domain);
    free(c->tftp);
    free(c->tftp_server);
    free(c->bootfile);
    for (unsigned i = 0; i < c->n_search; i++)
        free(c->search[i]);
    for (unsigned i = 0; i < c->n_fwd; i++)
        free(c->fwd[i].text);
    *c = (struct net_user_config){0};
}
