/*
 * vopcodes.h: opcodes of the vector instructions, in the form emit.h describes; X86_V_TABLE lets tests walk all of them.
 *
 * X(name, operand form, prefix, map, byte). Forms: RRR d=a op b; RR d=op s; ST store form (x86_v_mr); RRRI, RRI with an 8-bit immediate;
 * BLEND x86_v_rrrr; GX register d is general, s vector; XG register d is vector, s general; XXG vector d and a, general b, with immediate;
 * GXI general (rm) d, vector s, immediate: encoded with d in rm, use x86_v_rri(op, s, d, imm), i.e. the vector register first.
 */
#ifndef X86_VOPCODES_H
#define X86_VOPCODES_H

#define X86_V_TABLE(X) \
    /* moves */ \
    X(VMOVUPS, RR, 0, 1, 0x10) X(VMOVUPS_ST, ST, 0, 1, 0x11) X(VMOVAPS, RR, 0, 1, 0x28) X(VMOVAPS_ST, ST, 0, 1, 0x29) \
    X(VMOVDQU, RR, 2, 1, 0x6f) X(VMOVDQU_ST, ST, 2, 1, 0x7f) X(VMOVDQA, RR, 1, 1, 0x6f) X(VMOVDQA_ST, ST, 1, 1, 0x7f) \
    X(VMOVQ, RR, 2, 1, 0x7e) X(VMOVQ_ST, ST, 1, 1, 0xd6) X(VMOVD_XG, XG, 1, 1, 0x6e) X(VMOVD_GX, GXR, 1, 1, 0x7e) \
    X(VMOVSS, RM, 2, 1, 0x10) X(VMOVSS_ST, ST, 2, 1, 0x11) X(VMOVSD, RM, 3, 1, 0x10) X(VMOVSD_ST, ST, 3, 1, 0x11) \
    X(VMOVSS_RRR, RRR_NM, 2, 1, 0x10) X(VMOVSD_RRR, RRR_NM, 3, 1, 0x10) \
    X(VMOVLHPS, RRR_NM, 0, 1, 0x16) X(VMOVHLPS, RRR_NM, 0, 1, 0x12) X(VMOVHPS, RRM, 0, 1, 0x16) X(VMOVHPS_ST, ST, 0, 1, 0x17) \
    X(VMOVSLDUP, RR, 2, 1, 0x12) X(VMOVSHDUP, RR, 2, 1, 0x16) X(VMOVDDUP, RR, 3, 1, 0x12) \
    X(VMOVMSKPS, GX, 0, 1, 0x50) X(VMOVMSKPD, GX, 1, 1, 0x50) X(VPMOVMSKB, GX, 1, 1, 0xd7) \
    /* floating point */ \
    X(VADDPS, RRR, 0, 1, 0x58) X(VADDPD, RRR, 1, 1, 0x58) X(VADDSS, RRR, 2, 1, 0x58) X(VADDSD, RRR, 3, 1, 0x58) \
    X(VMULPS, RRR, 0, 1, 0x59) X(VMULPD, RRR, 1, 1, 0x59) X(VMULSS, RRR, 2, 1, 0x59) X(VMULSD, RRR, 3, 1, 0x59) \
    X(VSUBPS, RRR, 0, 1, 0x5c) X(VSUBPD, RRR, 1, 1, 0x5c) X(VSUBSS, RRR, 2, 1, 0x5c) X(VSUBSD, RRR, 3, 1, 0x5c) \
    X(VMINPS, RRR, 0, 1, 0x5d) X(VMINPD, RRR, 1, 1, 0x5d) X(VMINSS, RRR, 2, 1, 0x5d) X(VMINSD, RRR, 3, 1, 0x5d) \
    X(VDIVPS, RRR, 0, 1, 0x5e) X(VDIVPD, RRR, 1, 1, 0x5e) X(VDIVSS, RRR, 2, 1, 0x5e) X(VDIVSD, RRR, 3, 1, 0x5e) \
    X(VMAXPS, RRR, 0, 1, 0x5f) X(VMAXPD, RRR, 1, 1, 0x5f) X(VMAXSS, RRR, 2, 1, 0x5f) X(VMAXSD, RRR, 3, 1, 0x5f) \
    X(VSQRTPS, RR, 0, 1, 0x51) X(VSQRTPD, RR, 1, 1, 0x51) X(VSQRTSS, RRR, 2, 1, 0x51) X(VSQRTSD, RRR, 3, 1, 0x51) \
    X(VHADDPS, RRR, 3, 1, 0x7c) X(VHADDPD, RRR, 1, 1, 0x7c) \
    X(VANDPS, RRR, 0, 1, 0x54) X(VANDNPS, RRR, 0, 1, 0x55) X(VORPS, RRR, 0, 1, 0x56) X(VXORPS, RRR, 0, 1, 0x57) \
    X(VANDPD, RRR, 1, 1, 0x54) X(VANDNPD, RRR, 1, 1, 0x55) X(VORPD, RRR, 1, 1, 0x56) X(VXORPD, RRR, 1, 1, 0x57) \
    X(VCMPPS, RRRI, 0, 1, 0xc2) X(VCMPPD, RRRI, 1, 1, 0xc2) X(VCMPSS, RRRI, 2, 1, 0xc2) X(VCMPSD, RRRI, 3, 1, 0xc2) \
    X(VUCOMISS, RR, 0, 1, 0x2e) X(VUCOMISD, RR, 1, 1, 0x2e) X(VCOMISS, RR, 0, 1, 0x2f) X(VCOMISD, RR, 1, 1, 0x2f) \
    X(VROUNDPS, RRI, 1, 3, 0x08) X(VROUNDPD, RRI, 1, 3, 0x09) X(VROUNDSS, RRRI, 1, 3, 0x0a) X(VROUNDSD, RRRI, 1, 3, 0x0b) \
    X(VSHUFPS, RRRI, 0, 1, 0xc6) X(VSHUFPD, RRRI, 1, 1, 0xc6) X(VUNPCKLPS, RRR, 0, 1, 0x14) X(VUNPCKHPS, RRR, 0, 1, 0x15) \
    X(VUNPCKLPD, RRR, 1, 1, 0x14) X(VUNPCKHPD, RRR, 1, 1, 0x15) X(VINSERTPS, RRRI, 1, 3, 0x21) \
    X(VBLENDVPS, BLEND, 1, 3, 0x4a) X(VBLENDVPD, BLEND, 1, 3, 0x4b) X(VPBLENDVB, BLEND, 1, 3, 0x4c) \
    X(VPBLENDW, RRRI, 1, 3, 0x0e) X(VPBLENDD, RRRI, 1, 3, 0x02) X(VBLENDPS, RRRI, 1, 3, 0x0c) X(VBLENDPD, RRRI, 1, 3, 0x0d) \
    X(VCVTDQ2PS, RR, 0, 1, 0x5b) X(VCVTPS2DQ, RR, 1, 1, 0x5b) X(VCVTTPS2DQ, RR, 2, 1, 0x5b) \
    X(VCVTDQ2PD, RR, 2, 1, 0xe6) X(VCVTPD2DQ, RR, 3, 1, 0xe6) X(VCVTTPD2DQ, RR, 1, 1, 0xe6) \
    X(VCVTPS2PD, RR, 0, 1, 0x5a) X(VCVTPD2PS, RR, 1, 1, 0x5a) X(VCVTSS2SD, RRR, 2, 1, 0x5a) X(VCVTSD2SS, RRR, 3, 1, 0x5a) \
    X(VCVTSI2SS, XXG, 2, 1, 0x2a) X(VCVTSI2SD, XXG, 3, 1, 0x2a) \
    X(VCVTSS2SI, GX, 2, 1, 0x2d) X(VCVTSD2SI, GX, 3, 1, 0x2d) X(VCVTTSS2SI, GX, 2, 1, 0x2c) X(VCVTTSD2SI, GX, 3, 1, 0x2c) \
    X(VCVTPH2PS, RR, 1, 2, 0x13) X(VCVTPS2PH, STRI, 1, 3, 0x1d) \
    X(VRCPPS, RR, 0, 1, 0x53) X(VRSQRTPS, RR, 0, 1, 0x52) \
    X(VFMADD132SS, RRR, 1, 2, 0x99) X(VFMADD213SS, RRR, 1, 2, 0xa9) X(VFMADD231SS, RRR, 1, 2, 0xb9) \
    X(VFMSUB213SS, RRR, 1, 2, 0xab) X(VFMSUB231SS, RRR, 1, 2, 0xbb) X(VFNMADD213SS, RRR, 1, 2, 0xad) X(VFNMADD231SS, RRR, 1, 2, 0xbd) \
    X(VFNMSUB213SS, RRR, 1, 2, 0xaf) X(VFNMSUB231SS, RRR, 1, 2, 0xbf) \
    X(VFMADD213PS, RRR, 1, 2, 0xa8) X(VFMADD231PS, RRR, 1, 2, 0xb8) X(VFNMADD213PS, RRR, 1, 2, 0xac) X(VFNMADD231PS, RRR, 1, 2, 0xbc) \
    X(VFMADD132SD, RRR, 1, 2, 0x99 | X86_VW) X(VFMADD213SD, RRR, 1, 2, 0xa9 | X86_VW) X(VFMADD231SD, RRR, 1, 2, 0xb9 | X86_VW) \
    X(VFMSUB213SD, RRR, 1, 2, 0xab | X86_VW) X(VFMSUB231SD, RRR, 1, 2, 0xbb | X86_VW) X(VFNMADD213SD, RRR, 1, 2, 0xad | X86_VW) \
    X(VFNMADD231SD, RRR, 1, 2, 0xbd | X86_VW) X(VFNMSUB213SD, RRR, 1, 2, 0xaf | X86_VW) X(VFNMSUB231SD, RRR, 1, 2, 0xbf | X86_VW) \
    /* integer arithmetic */ \
    X(VPADDB, RRR, 1, 1, 0xfc) X(VPADDW, RRR, 1, 1, 0xfd) X(VPADDD, RRR, 1, 1, 0xfe) X(VPADDQ, RRR, 1, 1, 0xd4) \
    X(VPSUBB, RRR, 1, 1, 0xf8) X(VPSUBW, RRR, 1, 1, 0xf9) X(VPSUBD, RRR, 1, 1, 0xfa) X(VPSUBQ, RRR, 1, 1, 0xfb) \
    X(VPADDSB, RRR, 1, 1, 0xec) X(VPADDSW, RRR, 1, 1, 0xed) X(VPADDUSB, RRR, 1, 1, 0xdc) X(VPADDUSW, RRR, 1, 1, 0xdd) \
    X(VPSUBSB, RRR, 1, 1, 0xe8) X(VPSUBSW, RRR, 1, 1, 0xe9) X(VPSUBUSB, RRR, 1, 1, 0xd8) X(VPSUBUSW, RRR, 1, 1, 0xd9) \
    X(VPMULLW, RRR, 1, 1, 0xd5) X(VPMULLD, RRR, 1, 2, 0x40) X(VPMULHW, RRR, 1, 1, 0xe5) X(VPMULHUW, RRR, 1, 1, 0xe4) \
    X(VPMULUDQ, RRR, 1, 1, 0xf4) X(VPMULDQ, RRR, 1, 2, 0x28) X(VPMADDWD, RRR, 1, 1, 0xf5) X(VPMADDUBSW, RRR, 1, 2, 0x04) \
    X(VPMULHRSW, RRR, 1, 2, 0x0b) X(VPAVGB, RRR, 1, 1, 0xe0) X(VPAVGW, RRR, 1, 1, 0xe3) X(VPSADBW, RRR, 1, 1, 0xf6) \
    X(VPMINUB, RRR, 1, 1, 0xda) X(VPMINUW, RRR, 1, 2, 0x3a) X(VPMINUD, RRR, 1, 2, 0x3b) \
    X(VPMINSB, RRR, 1, 2, 0x38) X(VPMINSW, RRR, 1, 1, 0xea) X(VPMINSD, RRR, 1, 2, 0x39) \
    X(VPMAXUB, RRR, 1, 1, 0xde) X(VPMAXUW, RRR, 1, 2, 0x3e) X(VPMAXUD, RRR, 1, 2, 0x3f) \
    X(VPMAXSB, RRR, 1, 2, 0x3c) X(VPMAXSW, RRR, 1, 1, 0xee) X(VPMAXSD, RRR, 1, 2, 0x3d) \
    X(VPABSB, RR, 1, 2, 0x1c) X(VPABSW, RR, 1, 2, 0x1d) X(VPABSD, RR, 1, 2, 0x1e) \
    X(VPSIGNB, RRR, 1, 2, 0x08) X(VPSIGNW, RRR, 1, 2, 0x09) X(VPSIGND, RRR, 1, 2, 0x0a) \
    X(VPHADDW, RRR, 1, 2, 0x01) X(VPHADDD, RRR, 1, 2, 0x02) \
    X(VPCMPEQB, RRR, 1, 1, 0x74) X(VPCMPEQW, RRR, 1, 1, 0x75) X(VPCMPEQD, RRR, 1, 1, 0x76) X(VPCMPEQQ, RRR, 1, 2, 0x29) \
    X(VPCMPGTB, RRR, 1, 1, 0x64) X(VPCMPGTW, RRR, 1, 1, 0x65) X(VPCMPGTD, RRR, 1, 1, 0x66) X(VPCMPGTQ, RRR, 1, 2, 0x37) \
    X(VPAND, RRR, 1, 1, 0xdb) X(VPANDN, RRR, 1, 1, 0xdf) X(VPOR, RRR, 1, 1, 0xeb) X(VPXOR, RRR, 1, 1, 0xef) X(VPTEST, RR, 1, 2, 0x17) \
    /* shifts by a register's low 64 bits, and per element */ \
    X(VPSLLW, RRR, 1, 1, 0xf1) X(VPSLLD, RRR, 1, 1, 0xf2) X(VPSLLQ, RRR, 1, 1, 0xf3) X(VPSRLW, RRR, 1, 1, 0xd1) \
    X(VPSRLD, RRR, 1, 1, 0xd2) X(VPSRLQ, RRR, 1, 1, 0xd3) X(VPSRAW, RRR, 1, 1, 0xe1) X(VPSRAD, RRR, 1, 1, 0xe2) \
    X(VPSLLVD, RRR, 1, 2, 0x47) X(VPSRLVD, RRR, 1, 2, 0x45) X(VPSRAVD, RRR, 1, 2, 0x46) \
    X(VPSLLVQ, RRR, 1, 2, 0x47 | X86_VW) X(VPSRLVQ, RRR, 1, 2, 0x45 | X86_VW) \
    /* permutations */ \
    X(VPSHUFB, RRR, 1, 2, 0x00) X(VPSHUFD, RRI, 1, 1, 0x70) X(VPSHUFLW, RRI, 3, 1, 0x70) X(VPSHUFHW, RRI, 2, 1, 0x70) \
    X(VPALIGNR, RRRI, 1, 3, 0x0f) \
    X(VPUNPCKLBW, RRR, 1, 1, 0x60) X(VPUNPCKLWD, RRR, 1, 1, 0x61) X(VPUNPCKLDQ, RRR, 1, 1, 0x62) X(VPUNPCKLQDQ, RRR, 1, 1, 0x6c) \
    X(VPUNPCKHBW, RRR, 1, 1, 0x68) X(VPUNPCKHWD, RRR, 1, 1, 0x69) X(VPUNPCKHDQ, RRR, 1, 1, 0x6a) X(VPUNPCKHQDQ, RRR, 1, 1, 0x6d) \
    X(VPACKSSWB, RRR, 1, 1, 0x63) X(VPACKSSDW, RRR, 1, 1, 0x6b) X(VPACKUSWB, RRR, 1, 1, 0x67) X(VPACKUSDW, RRR, 1, 2, 0x2b) \
    X(VPMOVSXBW, RR, 1, 2, 0x20) X(VPMOVSXBD, RR, 1, 2, 0x21) X(VPMOVSXBQ, RR, 1, 2, 0x22) X(VPMOVSXWD, RR, 1, 2, 0x23) \
    X(VPMOVSXWQ, RR, 1, 2, 0x24) X(VPMOVSXDQ, RR, 1, 2, 0x25) X(VPMOVZXBW, RR, 1, 2, 0x30) X(VPMOVZXBD, RR, 1, 2, 0x31) \
    X(VPMOVZXBQ, RR, 1, 2, 0x32) X(VPMOVZXWD, RR, 1, 2, 0x33) X(VPMOVZXWQ, RR, 1, 2, 0x34) X(VPMOVZXDQ, RR, 1, 2, 0x35) \
    X(VPBROADCASTB, RR, 1, 2, 0x78) X(VPBROADCASTW, RR, 1, 2, 0x79) X(VPBROADCASTD, RR, 1, 2, 0x58) X(VPBROADCASTQ, RR, 1, 2, 0x59) \
    X(VPINSRB, XXGI, 1, 3, 0x20) X(VPINSRW, XXGI, 1, 1, 0xc4) X(VPINSRD, XXGI, 1, 3, 0x22) X(VPINSRQ, XXGI, 1, 3, 0x22 | X86_VW) \
    X(VPEXTRB, GXI, 1, 3, 0x14) X(VPEXTRW, GXI, 1, 3, 0x15) X(VPEXTRD, GXI, 1, 3, 0x16) X(VPEXTRQ, GXI, 1, 3, 0x16 | X86_VW) \
    /* PMULL.P8 and CRC-like work */ \
    X(VPCLMULQDQ, RRRI, 1, 3, 0x44)

enum x86_vopc {
#define X86_V_ENUM(name, form, prefix, map, byte) X86_##name = X86_VOPC(prefix, map, byte),
    X86_V_TABLE(X86_V_ENUM)
#undef X86_V_ENUM
};

/* Shifts by an immediate, for x86_v_shift(): X(name, prefix, map, byte, /ext). */
#define X86_VSHIFT_TABLE(X) \
    X(VPSLLW_I, 1, 1, 0x71, 6) X(VPSRLW_I, 1, 1, 0x71, 2) X(VPSRAW_I, 1, 1, 0x71, 4) X(VPSLLD_I, 1, 1, 0x72, 6) X(VPSRLD_I, 1, 1, 0x72, 2) \
    X(VPSRAD_I, 1, 1, 0x72, 4) X(VPSLLQ_I, 1, 1, 0x73, 6) X(VPSRLQ_I, 1, 1, 0x73, 2) X(VPSLLDQ_I, 1, 1, 0x73, 7) X(VPSRLDQ_I, 1, 1, 0x73, 3)

enum x86_vshift {
#define X86_V_ENUM(name, prefix, map, byte, ext) X86_##name = X86_VOPC(prefix, map, byte) | (ext) << 16,
    X86_VSHIFT_TABLE(X86_V_ENUM)
#undef X86_V_ENUM
};

#endif
