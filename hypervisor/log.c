/*
 * log.c: see log.h. Guest code is disassembled by Capstone, host code by Zydis, each where the build has it.
 */
#include <errno.h>
#include <hypervisor/error.h>
#include <hypervisor/log.h>
#include <stdio.h>
#include <string.h>
#ifdef ARMLET_CAPSTONE
#include <capstone/capstone.h>
#endif
#ifdef ARMLET_ZYDIS
#include <Zydis/Zydis.h>
#endif

static FILE *out;
static const char *out_name;
static int out_errno; /* of the first write that failed */

static void note_error(void)
{
    if (!out_errno && ferror(out))
        out_errno = errno ? errno : EIO;
}

int log_open(const char *file)
{
    out = stderr;
    out_name = NULL;
    if (!file)
        return 0;
    out = fopen(file, "we");
    if (!out) {
        error_report("the log file '%s' cannot be opened: %s", file, strerror(errno));
        return -1;
    }
    setvbuf(out, NULL, _IOLBF, 0); /* the last lines before a crash are the ones that are wanted */
    out_name = file;
    return 0;
}

void log_text(const char *text)
{
    size_t n = strlen(text);
    FILE *f = out ? out : stderr;
    flockfile(f);
    fputs(text, f);
    if (!n || text[n - 1] != '\n')
        putc('\n', f);
    if (f == out)
        note_error();
    funlockfile(f);
}

static void log_bytes(uint64_t addr, const uint8_t *code, size_t n)
{
    for (size_t i = 0; i < n; i += 16) {
        fprintf(out, "0x%llx: ", (unsigned long long)(addr + i));
        for (size_t k = i; k < n && k < i + 16; k++)
            fprintf(out, " %02x", code[k]);
        putc('\n', out);
    }
}

#ifdef ARMLET_CAPSTONE
static void log_arm(bool thumb, uint32_t addr, const uint8_t *code, size_t n)
{
    static csh handle[2]; /* opened once a kind */
    csh *h = &handle[thumb];
    cs_insn *insn;
    if (!*h && cs_open(CS_ARCH_ARM, (cs_mode)((thumb ? CS_MODE_THUMB : CS_MODE_ARM) | CS_MODE_V8), h) != CS_ERR_OK) {
        log_bytes(addr, code, n);
        return;
    }
    insn = cs_malloc(*h);
    if (!insn)
        return;
    while (n) {
        uint64_t at = addr;
        size_t left = n;
        const uint8_t *p = code;
        size_t size = thumb ? 2 : 4;
        if (cs_disasm_iter(*h, &p, &left, &at, insn)) {
            size = insn->size;
            fprintf(out, "0x%08x:  ", addr);
            for (size_t i = size; i-- > 0;)
                fprintf(out, "%02x", code[i]);
            fprintf(out, "%*s  %-8s %s\n", (int)(8 - 2 * size), "", insn->mnemonic, insn->op_str);
        } else {
            if (size > n)
                size = n;
            log_bytes(addr, code, size);
        }
        code += size;
        n -= size;
        addr += (uint32_t)size;
    }
    cs_free(insn, 1);
}
#endif

#ifdef ARMLET_ZYDIS
static void log_x86(uint64_t addr, const uint8_t *code, size_t n)
{
    while (n) {
        ZydisDisassembledInstruction insn;
        size_t size = 1;
        if (ZYAN_SUCCESS(ZydisDisassembleIntel(ZYDIS_MACHINE_MODE_LONG_64, addr, code, n, &insn))) {
            size = insn.info.length;
            fprintf(out, "0x%llx:  %s\n", (unsigned long long)addr, insn.text);
        } else {
            log_bytes(addr, code, size);
        }
        code += size;
        n -= size;
        addr += size;
    }
}
#endif

void log_code(enum code_kind kind, uint64_t addr, const uint8_t *code, size_t n)
{
    if (!out)
        out = stderr;
    switch (kind) {
#ifdef ARMLET_CAPSTONE
    case CODE_A32:
    case CODE_T32:
        log_arm(kind == CODE_T32, (uint32_t)addr, code, n);
        break;
#endif
#ifdef ARMLET_ZYDIS
    case CODE_X86:
        log_x86(addr, code, n);
        break;
#endif
    default:
        log_bytes(addr, code, n);
    }
    note_error();
}

int log_close(void)
{
    int err = 0;
    if (out && out_name) {
        if (fclose(out) != 0 && !out_errno)
            out_errno = errno;
        if (out_errno) {
            error_report("the log file '%s' cannot be written: %s", out_name, strerror(out_errno));
            err = -1;
        }
    }
    out = NULL;
    out_name = NULL;
    return err;
}
