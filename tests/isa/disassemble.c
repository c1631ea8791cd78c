/*
 * disassemble.c: Capstone, apart from the rest because its headers and the decoder's both have an arm_insn.
 */
#include <capstone/capstone.h>
#include <stdio.h>

void disassemble(bool thumb, const void *bytes, unsigned size, uint32_t pc, char *buf, size_t cap);

void disassemble(bool thumb, const void *bytes, unsigned size, uint32_t pc, char *buf, size_t cap)
{
    csh cs;
    cs_insn *text = NULL;
    size_t n = 0;

    if (cs_open(CS_ARCH_ARM, (thumb ? CS_MODE_THUMB : CS_MODE_ARM) | CS_MODE_V8, &cs) == CS_ERR_OK) {
        n = cs_disasm(cs, bytes, size, pc, 1, &text);
        if (n) {
            snprintf(buf, cap, "%-8s %s", text->mnemonic, text->op_str);
            cs_free(text, n);
        }
        cs_close(&cs);
    }
    if (!n)
        snprintf(buf, cap, "?");
}
