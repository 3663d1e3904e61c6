#include "shrink.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

namespace thumbnails {
namespace {

// How a pixel of a long line falls onto a shorter one: into one pixel of it, or across the border of two.
struct Share {
    std::size_t to = 0;
    float here = 0;  // parts of that pixel which it fills
    float next = 0;  // of the one behind
};

std::vector<Share> shares(int from, int to) {
    std::vector<Share> result;
    const double scale = static_cast<double>(to) / from;
    for (int i = 0; i < from; ++i) {
        const double begin = i * scale;
        const double end = (i + 1) * scale;
        const int pixel = std::min(static_cast<int>(begin), to - 1);
        const double border = pixel + 1;
        const bool crosses = end > border && pixel + 1 < to;
        result.push_back({static_cast<std::size_t>(pixel), static_cast<float>(std::min(end, border) - begin),
                          crosses ? static_cast<float>(end - border) : 0});
    }
    return result;
}

// The light that a number of sRGB stands for, 0 to 1.
float light_of(double srgb) {
    const double value = srgb / 255;
    return static_cast<float>(value <= 0.04045 ? value / 12.92 : std::pow((value + 0.055) / 1.055, 2.4));
}

const std::array<float, 256>& light() {
    static const auto table = [] {
        std::array<float, 256> each{};
        for (std::size_t i = 0; i < each.size(); ++i) each[i] = light_of(static_cast<double>(i));
        return each;
    }();
    return table;
}

// The nearest number of sRGB: how many borders between two of them lie below.
unsigned char srgb_of(float value) {
    static const auto borders = [] {
        std::array<float, 255> each{};
        for (std::size_t i = 0; i < each.size(); ++i) each[i] = light_of(static_cast<double>(i) + 0.5);
        return each;
    }();
    return static_cast<unsigned char>(std::ranges::upper_bound(borders, value) - borders.begin());
}

// One row, as light with alpha multiplied in, onto the shorter one.
template <std::size_t channels>
void shrink_row(const unsigned char* row, const std::vector<Share>& columns, std::vector<float>& sums) {
    const auto& table = light();
    std::ranges::fill(sums, 0.0F);
    for (const Share& share : columns) {
        std::array<float, channels> pixel{};
        const float alpha = channels == 4 ? static_cast<float>(row[channels - 1]) / 255 : 1;
        for (std::size_t i = 0; i < 3; ++i) pixel[i] = table[row[i]] * alpha;
        if (channels == 4) pixel[channels - 1] = alpha;
        row += channels;
        float* sum = &sums[share.to * channels];
        for (std::size_t i = 0; i < channels; ++i) sum[i] += pixel[i] * share.here;
        if (share.next == 0) continue;
        for (std::size_t i = 0; i < channels; ++i) sum[channels + i] += pixel[i] * share.next;
    }
}

template <std::size_t channels>
void write_row(const float* sums, unsigned char* row, int width) {
    for (int x = 0; x < width; ++x, sums += channels, row += channels) {
        const float alpha = channels == 4 ? sums[channels - 1] : 1;
        for (std::size_t i = 0; i < 3; ++i) row[i] = alpha > 0 ? srgb_of(sums[i] / alpha) : 0;
        if (channels == 4)
            row[channels - 1] = static_cast<unsigned char>(std::lround(std::min(alpha, 1.0F) * 255));
    }
}

template <std::size_t channels>
Image shrink_to(const Image& image, Size size) {
    const auto columns = shares(image.size.width, size.width);
    const auto rows = shares(image.size.height, size.height);
    const std::size_t row_size = static_cast<std::size_t>(size.width) * channels;
    std::vector<float> row(row_size);
    std::vector<float> sums(row_size * static_cast<std::size_t>(size.height));
    for (int y = 0; y < image.size.height; ++y) {
        shrink_row<channels>(image.row(y), columns, row);
        const Share& share = rows[static_cast<std::size_t>(y)];
        float* sum = &sums[share.to * row_size];
        for (std::size_t i = 0; i < row_size; ++i) sum[i] += row[i] * share.here;
        if (share.next == 0) continue;
        for (std::size_t i = 0; i < row_size; ++i) sum[row_size + i] += row[i] * share.next;
    }
    Image small(size, channels);
    for (int y = 0; y < size.height; ++y)
        write_row<channels>(&sums[static_cast<std::size_t>(y) * row_size], small.row(y), size.width);
    return small;
}

int scaled(int side, int longest_before, int longest) {
    return std::max(1, static_cast<int>(std::lround(static_cast<double>(side) * longest / longest_before)));
}

}  // namespace

Image shrink(Image image, int longest) {
    const int before = image.size.longest();
    if (before <= longest) return image;
    const Size size{scaled(image.size.width, before, longest), scaled(image.size.height, before, longest)};
    return image.channels == 4 ? shrink_to<4>(image, size) : shrink_to<3>(image, size);
}

}  // namespace thumbnails
