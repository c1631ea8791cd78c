/* video.c: H.264 encoding by libx264 of a synthetic film. video FRAMES [PRESET]; prints size and hash of the stream. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <x264.h>

enum { WIDTH = 352, HEIGHT = 288 };

static uint64_t hash = 0xcbf29ce484222325u, bytes;

static void take(const x264_nal_t *nal, int size)
{
    for (int i = 0; i < size; i++)
        hash = (hash ^ nal->p_payload[i]) * 0x100000001b3u;
    bytes += size > 0 ? (uint64_t)size : 0;
}

/* A textured ground that drifts, a disc that moves the other way, noise. */
static void draw(x264_picture_t *pic, int t)
{
    uint32_t noise = (uint32_t)t;
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            int gx = x + 3 * t, gy = y + t, dx = x - (WIDTH - 2 * t) % WIDTH, dy = y - HEIGHT / 2;
            noise = noise * 1664525u + 1013904223u;
            int v = ((gx * gx / 97 + gy * 5) & 127) + ((gx ^ gy) & 31) + (int)(noise >> 29);
            pic->img.plane[0][y * pic->img.i_stride[0] + x] = (uint8_t)(dx * dx + dy * dy < 2500 ? 220 - v / 4 : v);
        }
    for (int p = 1; p < 3; p++)
        for (int y = 0; y < HEIGHT / 2; y++)
            for (int x = 0; x < WIDTH / 2; x++)
                pic->img.plane[p][y * pic->img.i_stride[p] + x] = (uint8_t)(128 + ((x + p * t) & 31) - (y & 15));
}

int main(int argc, char **argv)
{
    int frames = argc > 1 ? atoi(argv[1]) : 10, count;
    x264_param_t param;
    x264_picture_t in, out;
    x264_nal_t *nal;

    if (x264_param_default_preset(&param, argc > 2 ? argv[2] : "medium", NULL) < 0)
        return 1;
    param.i_width = WIDTH;
    param.i_height = HEIGHT;
    param.i_csp = X264_CSP_I420;
    param.i_fps_num = 25;
    param.i_fps_den = 1;
    param.i_threads = 1;
    param.b_deterministic = 1;
    param.i_log_level = X264_LOG_ERROR;
    param.rc.i_rc_method = X264_RC_CQP;
    param.rc.i_qp_constant = 26;
    x264_t *encoder = x264_encoder_open(&param);
    if (!encoder || x264_picture_alloc(&in, param.i_csp, WIDTH, HEIGHT) < 0)
        return 1;
    for (int t = 0; t < frames; t++) {
        draw(&in, t);
        in.i_pts = t;
        int size = x264_encoder_encode(encoder, &nal, &count, &in, &out);
        if (size < 0)
            return 1;
        take(nal, size);
    }
    while (x264_encoder_delayed_frames(encoder)) {
        int size = x264_encoder_encode(encoder, &nal, &count, NULL, &out);
        if (size < 0)
            return 1;
        take(nal, size);
    }
    x264_encoder_close(encoder);
    printf("%" PRIu64 " bytes %016" PRIx64 "\n", bytes, hash);
    return 0;
}
