// One picture, one thumbnail: what a worker does.
//
// Thread safety: any number of calls at once, for different targets.
// Crash safety: a worker that dies, or an exception, leaves what was written under the job's temporary
//               name, for the caller to remove.
#pragma once

#include <cstdint>
#include <string>

namespace thumbnails {

inline constexpr int longest_side = 256;

/// Plain data, as all that travels here.
struct Job {
    std::string source;
    std::string target;     ///< ".jpg" is added if the thumbnail is a JPEG and this does not say so
    std::string temporary;  ///< in the same directory; one left by a run that was killed is written over
};

struct Made {
    std::uint64_t pixels = 0;  ///< of the picture
};

/// Makes the target's directory too. Throws: std::runtime_error with the reason in plain words,
/// std::system_error, std::bad_alloc.
Made make_thumbnail(const Job& job);

}  // namespace thumbnails
