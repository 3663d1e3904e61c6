#include "plan.hpp"

#include <algorithm>
#include <filesystem>
#include <stdexcept>
#include <system_error>

namespace pipeline {

namespace fs = std::filesystem;

std::vector<Input> look_at(const std::vector<std::string>& paths) {
    std::vector<Input> inputs;
    for (const auto& path : paths) {
        std::error_code error;
        const auto status = fs::status(path, error);
        if (fs::is_regular_file(status)) {
            inputs.push_back({path, fs::file_size(path, error)});
        } else if (!error) {
            throw std::runtime_error(path + ": it is no regular file");
        }
        if (error) throw std::runtime_error(path + ": " + error.message());
    }
    return inputs;
}

std::vector<Range> make_plan(const std::vector<Input>& inputs, std::uint64_t block_size, std::uint64_t done) {
    std::vector<Range> plan;
    std::uint64_t all = 0;
    std::uint64_t skipped = done;
    for (std::size_t file = 0; file < inputs.size(); ++file) {
        const std::uint64_t size = inputs[file].size;
        std::uint64_t offset = std::min(skipped, size);
        skipped -= offset;
        all += size;
        for (; offset < size; offset += block_size)
            plan.push_back({plan.size(), file, offset, std::min(block_size, size - offset)});
    }
    if (skipped > 0)
        throw std::runtime_error("the output already holds " + std::to_string(done) +
                                 " bytes, and the files together only " + std::to_string(all));
    if (all == 0) plan.push_back({});
    return plan;
}

}  // namespace pipeline
