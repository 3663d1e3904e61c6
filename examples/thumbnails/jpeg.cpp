#include "jpeg.hpp"

#include <csetjmp>
#include <new>
#include <stdexcept>
#include <string>

#include <jerror.h>
#include <jpeglib.h>

namespace thumbnails {
namespace {

constexpr int quality = 85;

// libjpeg ends the process when something is wrong, unless error_exit never returns to it. It leaves by
// longjmp here, which runs no destructors: so nothing between attempt() and libjpeg may have one. Steps are
// lambdas that capture references; whatever they fill lives outside of them, and goes when attempt() throws.
struct Errors : jpeg_error_mgr {
    Errors() : jpeg_error_mgr{} {
        jpeg_std_error(this);
        error_exit = [](j_common_ptr state) { static_cast<Errors*>(state->err)->leave(state); };
        emit_message = [](j_common_ptr state, int level) {
            if (level == -1) static_cast<Errors*>(state->err)->warn(state);  // others only trace
        };
        output_message = [](j_common_ptr) {};
    }

    // Some warnings mean that part of the picture is made up. A photograph that was cut short is no success;
    // one with a few bytes too many between its segments, as some cameras write them, is.
    void warn(j_common_ptr state) {
        switch (msg_code) {
            case JWRN_JPEG_EOF:
            case JWRN_HIT_MARKER:
            case JWRN_HUFF_BAD_CODE:
            case JWRN_MUST_RESYNC: leave(state);
            default: return;
        }
    }

    [[noreturn]] void leave(j_common_ptr state) {
        format_message(state, text);
        std::longjmp(way_out, 1);
    }

    [[noreturn]] void raise() const {
        switch (msg_code) {
            case JERR_OUT_OF_MEMORY: throw std::bad_alloc();
            case JERR_INPUT_EMPTY: throw std::runtime_error("empty");
            case JERR_NO_SOI: throw std::runtime_error("not a JPEG");
            case JWRN_JPEG_EOF: throw std::runtime_error("truncated");
            case JERR_CONVERSION_NOTIMPL:
                throw std::runtime_error(
                    "its colours are meant for printing (CMYK), which this program does not convert");
            case JERR_FILE_WRITE: throw std::runtime_error("the thumbnail cannot be written");
            default: throw std::runtime_error(std::string("damaged: ") + text);
        }
    }

    std::jmp_buf way_out;
    char text[JMSG_LENGTH_MAX] = "";
};

template <class Step>
void attempt(Errors& errors, Step step) {
    if (setjmp(errors.way_out) != 0) errors.raise();
    step();
}

struct Reader {
    Reader() { state.err = &errors; }
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    ~Reader() { jpeg_destroy_decompress(&state); }
    Errors errors;
    jpeg_decompress_struct state{};
};

struct Writer {
    Writer() { state.err = &errors; }
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;
    ~Writer() { jpeg_destroy_compress(&state); }
    Errors errors;
    jpeg_compress_struct state{};
};

unsigned int divisor(Size size, int enough) {
    for (const int by : {8, 4, 2}) {
        if (size.longest() / by >= enough) return static_cast<unsigned int>(by);
    }
    return 1;
}

}  // namespace

Picture read_jpeg(std::FILE* file, int enough) {
    Reader reader;
    auto& state = reader.state;
    attempt(reader.errors, [&] {
        jpeg_create_decompress(&state);
        jpeg_stdio_src(&state, file);
        jpeg_read_header(&state, TRUE);
    });
    const Size size{static_cast<int>(state.image_width), static_cast<int>(state.image_height)};
    check_size(size);
    attempt(reader.errors, [&] {
        state.out_color_space = JCS_RGB;
        state.scale_num = 1;
        state.scale_denom = divisor(size, enough);
        jpeg_start_decompress(&state);
    });
    Picture picture{Image({static_cast<int>(state.output_width), static_cast<int>(state.output_height)}, 3),
                    size};
    attempt(reader.errors, [&] {
        while (state.output_scanline < state.output_height) {
            JSAMPROW row = picture.image.row(static_cast<int>(state.output_scanline));
            jpeg_read_scanlines(&state, &row, 1);
        }
        jpeg_finish_decompress(&state);
    });
    return picture;
}

void write_jpeg(const Image& image, std::FILE* file) {
    Writer writer;
    auto& state = writer.state;
    attempt(writer.errors, [&] {
        jpeg_create_compress(&state);
        jpeg_stdio_dest(&state, file);
        state.image_width = static_cast<JDIMENSION>(image.size.width);
        state.image_height = static_cast<JDIMENSION>(image.size.height);
        state.input_components = image.channels;
        state.in_color_space = JCS_RGB;
        jpeg_set_defaults(&state);
        jpeg_set_quality(&state, quality, TRUE);
        jpeg_start_compress(&state, TRUE);
        while (state.next_scanline < state.image_height) {
            JSAMPROW row = image.row(static_cast<int>(state.next_scanline));
            jpeg_write_scanlines(&state, &row, 1);
        }
        jpeg_finish_compress(&state);
    });
}

}  // namespace thumbnails
