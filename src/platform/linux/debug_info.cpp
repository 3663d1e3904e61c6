// libdw is loaded when the first address is named. Programs that never crash do not pay for it at each
// start.
#include "platform/debug_info.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>

#include "platform/execution.hpp"
#include "platform/file_descriptor.hpp"
#include "platform/fork_mutex.hpp"
#include "platform/mapping.hpp"
#include "platform/os_thread.hpp"
#include "platform/symbols.hpp"

#include <dlfcn.h>
#include <dwarf.h>
#include <elf.h>
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <link.h>
#include <sys/stat.h>
#include <unistd.h>

namespace chorus::inline v0::detail::platform {
namespace {

// A session holds the mapped file, and what libdw has read of it. Both limits keep that small: a
// program has few binaries that throw, and few places where they do.
constexpr std::size_t most_sessions = 8;
constexpr std::size_t most_places_of_a_session = 1024;

constexpr const char* running_program = "/proc/self/exe";

constinit std::atomic<std::size_t> sessions_opened{0};

template <class Function>
bool load(void* library, const char* name, Function*& function) {
    function = reinterpret_cast<Function*>(::dlsym(library, name));
    return function != nullptr;
}

// The part of libdw that is used, by name.
struct Libdw {
#define CHORUS_LIBDW(Function) decltype(::Function)* Function = nullptr
    CHORUS_LIBDW(dwfl_begin);
    CHORUS_LIBDW(dwfl_end);
    CHORUS_LIBDW(dwfl_report_begin);
    CHORUS_LIBDW(dwfl_report_module);
    CHORUS_LIBDW(elf_version);
    CHORUS_LIBDW(elf_memory);
    CHORUS_LIBDW(dwfl_report_end);
    CHORUS_LIBDW(dwfl_module_addrname);
    CHORUS_LIBDW(dwfl_module_addrdie);
    CHORUS_LIBDW(dwfl_module_nextcu);
    CHORUS_LIBDW(dwfl_module_info);
    CHORUS_LIBDW(dwfl_module_getdwarf);
    CHORUS_LIBDW(dwfl_module_getelf);
    CHORUS_LIBDW(dwfl_standard_find_debuginfo);
    CHORUS_LIBDW(dwarf_haspc);
    CHORUS_LIBDW(dwarf_getsrc_die);
    CHORUS_LIBDW(dwarf_linesrc);
    CHORUS_LIBDW(dwarf_lineno);
    CHORUS_LIBDW(dwarf_child);
    CHORUS_LIBDW(dwarf_siblingof);
    CHORUS_LIBDW(dwarf_tag);
    CHORUS_LIBDW(dwarf_diename);
    CHORUS_LIBDW(dwarf_attr);
    CHORUS_LIBDW(dwarf_attr_integrate);
    CHORUS_LIBDW(dwarf_formstring);
    CHORUS_LIBDW(dwarf_formudata);
    CHORUS_LIBDW(dwarf_getsrcfiles);
    CHORUS_LIBDW(dwarf_filesrc);
#undef CHORUS_LIBDW
    bool usable = false;

    Libdw() {
        if (is_statically_linked()) return;
        void* library = ::dlopen("libdw.so.1", RTLD_NOW | RTLD_LOCAL);
        if (library == nullptr) return;
        usable = true;
#define CHORUS_LOAD(Function) usable = usable && load(library, #Function, Function)
        CHORUS_LOAD(dwfl_begin);
        CHORUS_LOAD(dwfl_end);
        CHORUS_LOAD(dwfl_report_begin);
        CHORUS_LOAD(dwfl_report_module);
        CHORUS_LOAD(elf_version);  // these two of libelf, which libdw brings
        CHORUS_LOAD(elf_memory);
        CHORUS_LOAD(dwfl_report_end);
        CHORUS_LOAD(dwfl_module_addrname);
        CHORUS_LOAD(dwfl_module_addrdie);
        CHORUS_LOAD(dwfl_module_nextcu);
        CHORUS_LOAD(dwfl_module_info);
        CHORUS_LOAD(dwfl_module_getdwarf);
        CHORUS_LOAD(dwfl_module_getelf);
        CHORUS_LOAD(dwfl_standard_find_debuginfo);
        CHORUS_LOAD(dwarf_haspc);
        CHORUS_LOAD(dwarf_getsrc_die);
        CHORUS_LOAD(dwarf_linesrc);
        CHORUS_LOAD(dwarf_lineno);
        CHORUS_LOAD(dwarf_child);
        CHORUS_LOAD(dwarf_siblingof);
        CHORUS_LOAD(dwarf_tag);
        CHORUS_LOAD(dwarf_diename);
        CHORUS_LOAD(dwarf_attr);
        CHORUS_LOAD(dwarf_attr_integrate);
        CHORUS_LOAD(dwarf_formstring);
        CHORUS_LOAD(dwarf_formudata);
        CHORUS_LOAD(dwarf_getsrcfiles);
        CHORUS_LOAD(dwarf_filesrc);
#undef CHORUS_LOAD
    }
};

const Libdw& libdw() {
    static const auto* const instance = new Libdw;
    return *instance;
}

// clang writes no table of addresses, by which the unit is found at once. Then all units are searched.
Dwarf_Die* unit_at(Dwfl_Module* module, std::uintptr_t address, Dwarf_Addr& bias) {
    if (Dwarf_Die* unit = libdw().dwfl_module_addrdie(module, address, &bias)) return unit;
    Dwarf_Die* unit = nullptr;
    while ((unit = libdw().dwfl_module_nextcu(module, unit, &bias)) != nullptr) {
        if (libdw().dwarf_haspc(unit, address - bias) > 0) break;
    }
    return unit;
}

bool enter_scope(Dwarf_Die& scope, Dwarf_Addr address) {
    Dwarf_Die child;
    if (libdw().dwarf_child(&scope, &child) != 0) return false;
    do {
        if (libdw().dwarf_haspc(&child, address) > 0) {
            scope = child;
            return true;
        }
    } while (libdw().dwarf_siblingof(&child, &child) == 0);
    return false;
}

// g++ puts functions beside their namespaces, clang inside.
bool find_function(Dwarf_Die& parent, Dwarf_Addr address, Dwarf_Die& function) {
    Dwarf_Die child;
    if (libdw().dwarf_child(&parent, &child) != 0) return false;
    do {
        switch (libdw().dwarf_tag(&child)) {
            case DW_TAG_subprogram:
                if (libdw().dwarf_haspc(&child, address) > 0) {
                    function = child;
                    return true;
                }
                break;
            case DW_TAG_namespace:
            case DW_TAG_class_type:
            case DW_TAG_structure_type:
                if (find_function(child, address, function)) return true;
                break;
            default: break;
        }
    } while (libdw().dwarf_siblingof(&child, &child) == 0);
    return false;
}

std::string name_of(Dwarf_Die& die) {
    Dwarf_Attribute attribute;
    if (libdw().dwarf_attr_integrate(&die, DW_AT_linkage_name, &attribute) != nullptr) {
        if (const char* name = libdw().dwarf_formstring(&attribute)) return readable(name);
    }
    const char* name = libdw().dwarf_diename(&die);
    if (name == nullptr) return "";
    return std::strcmp(name, "operator()") == 0 ? "<lambda>"
                                                : name;  // one of a named class has a linkage name
}

std::string call_place(Dwarf_Die& unit, Dwarf_Die& die) {
    Dwarf_Attribute attribute;
    Dwarf_Word file = 0;
    Dwarf_Word line = 0;
    Dwarf_Files* files = nullptr;
    if (libdw().dwarf_formudata(libdw().dwarf_attr(&die, DW_AT_call_file, &attribute), &file) != 0) return "";
    if (libdw().dwarf_formudata(libdw().dwarf_attr(&die, DW_AT_call_line, &attribute), &line) != 0) return "";
    if (libdw().dwarf_getsrcfiles(&unit, &files, nullptr) != 0) return "";
    const char* path = libdw().dwarf_filesrc(files, file, nullptr, nullptr);
    return path != nullptr ? std::string(path) + ":" + std::to_string(line) : "";
}

// Inside a function the scopes that hold the address are nested: blocks, and inlined functions. Each
// inlined function has the place of its call, which is the place in the next scope further out.
std::vector<Place> with_inlined(Dwarf_Die& unit, Dwarf_Addr address, const Place& outer) {
    Dwarf_Die scope;
    if (!find_function(unit, address, scope)) return {outer};
    std::vector<Dwarf_Die> inlined;  // outermost first
    while (enter_scope(scope, address)) {
        if (libdw().dwarf_tag(&scope) == DW_TAG_inlined_subroutine) inlined.push_back(scope);
    }
    std::vector<Place> places;
    std::string source = outer.source;
    for (auto each = inlined.rbegin(); each != inlined.rend(); ++each) {
        places.push_back({name_of(*each), source, outer.binary});
        source = call_place(unit, *each);
    }
    places.push_back({outer.function, source, outer.binary});
    return places;
}

// Identifies a file: whether a path still names the file that was opened.
struct FileVersion {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    std::int64_t seconds = 0;
    std::int64_t nanoseconds = 0;

    bool operator==(const FileVersion&) const = default;
};

// Of regular files only: opening another file might block.
std::optional<FileVersion> version_of(const char* path) {
    struct stat file {};
    if (::stat(path, &file) != 0 || !S_ISREG(file.st_mode)) return std::nullopt;
    return FileVersion{file.st_dev, file.st_ino, file.st_size, file.st_mtim.tv_sec, file.st_mtim.tv_nsec};
}

// The headers of an ELF file: its build id, and where its parts are.
class Headers {
public:
    explicit Headers(std::span<const std::byte> file) : file_(file) {
        ElfW(Ehdr) header;
        if (!read(0, &header, sizeof header)) return;
        if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_phentsize != sizeof(ElfW(Phdr)))
            return;
        parts_.resize(header.e_phnum);
        if (!read(header.e_phoff, parts_.data(), parts_.size() * sizeof(ElfW(Phdr)))) parts_.clear();
        for (const auto& part : parts_) {
            if (part.p_type != PT_NOTE || !build_id_.empty()) continue;
            std::vector<unsigned char> notes(std::min<std::size_t>(part.p_filesz, file.size()));
            if (read(part.p_offset, notes.data(), notes.size())) build_id_ = build_id_in(notes);
        }
    }

    /// Hexadecimal, empty if it was linked without.
    const std::string& build_id() const noexcept { return build_id_; }

    /// The address that the file itself assigns to this offset.
    std::optional<std::uint64_t> address_of(std::uint64_t offset) const {
        for (const auto& part : parts_) {
            if (part.p_type == PT_LOAD && offset - part.p_offset < part.p_filesz)
                return part.p_vaddr + (offset - part.p_offset);
        }
        return std::nullopt;
    }

    /// From the first to behind the last address of what is loaded.
    std::pair<std::uint64_t, std::uint64_t> addresses() const noexcept {
        std::uint64_t begin = ~std::uint64_t{0};
        std::uint64_t end = 0;
        for (const auto& part : parts_) {
            if (part.p_type != PT_LOAD) continue;
            begin = std::min<std::uint64_t>(
                begin, part.p_vaddr - part.p_vaddr % std::max<std::uint64_t>(part.p_align, 1));
            end = std::max<std::uint64_t>(end, part.p_vaddr + part.p_memsz);
        }
        return {begin, end};
    }

private:
    bool read(std::uint64_t offset, void* memory, std::size_t size) const {
        if (offset > file_.size() || size > file_.size() - offset) return false;
        std::memcpy(memory, file_.data() + offset, size);
        return true;
    }

    std::span<const std::byte> file_;
    std::vector<ElfW(Phdr)> parts_;
    std::string build_id_;
};

Mapping whole_file(int descriptor) {
    const std::size_t size = file_size(descriptor);
    return size == 0 ? Mapping() : Mapping(descriptor, size, Mapping::Access::read);
}

// An ELF file as libdw reads it. libdw would keep each file's descriptor open, and receives the bytes
// instead. The program's children would inherit the descriptor. A program that closes all descriptors
// it does not know would close it, and libdw would later close the unrelated file that has its number
// then.
class ElfFile {
public:
    ElfFile(Mapping image, std::string path)
        : image_(std::move(image)), path_(std::move(path)), headers_(image_.bytes()) {
        if (!libdw().usable || image_.bytes().empty()) return;
        ++sessions_opened;
        libdw().elf_version(EV_CURRENT);
        open();
        searches_ = false;
        if (has_debug_info_) return;
        // The search itself may keep sockets open (debuginfod's), until its session ends.
        close();
        open();
    }
    ElfFile(const ElfFile&) = delete;
    ElfFile& operator=(const ElfFile&) = delete;
    ~ElfFile() { close(); }

    const Headers& headers() const noexcept { return headers_; }

    /// The file with the debug information, if that is not in this one.
    std::unique_ptr<ElfFile> take_separate_file() {
        if (has_debug_info_ || separate_path_.empty()) return nullptr;
        return std::make_unique<ElfFile>(std::move(separate_), std::move(separate_path_));
    }

    /// The function at this address of the file and those it is inlined into, innermost first.
    std::vector<Place> look_up(std::uint64_t address) const {
        Place place;
        if (module_ == nullptr) return {place};
        address += bias_;
        if (const char* name = libdw().dwfl_module_addrname(module_, address))
            place.function = readable(name);
        if (!has_debug_info_) return {place};
        Dwarf_Addr bias = 0;
        Dwarf_Die* unit = unit_at(module_, address, bias);
        if (unit == nullptr) return {place};
        if (Dwarf_Line* line = libdw().dwarf_getsrc_die(unit, address - bias)) {
            int number = 0;
            const char* file = libdw().dwarf_linesrc(line, nullptr, nullptr);
            if (file != nullptr && libdw().dwarf_lineno(line, &number) == 0)
                place.source = std::string(file) + ":" + std::to_string(number);
        }
        return with_inlined(*unit, address - bias, place);
    }

private:
    void open() {
        const auto [begin, end] = headers_.addresses();
        if (begin >= end) return;
        callbacks_.find_elf = give_image;
        callbacks_.find_debuginfo = note_separate_file;
        callbacks_.debuginfo_path = &debuginfo_path_;
        session_ = libdw().dwfl_begin(&callbacks_);
        if (session_ == nullptr) return;
        libdw().dwfl_report_begin(session_);
        module_ = libdw().dwfl_report_module(session_, path_.c_str(), begin, end);
        libdw().dwfl_report_end(session_, nullptr, nullptr);
        if (module_ == nullptr) return;
        void** self = nullptr;
        libdw().dwfl_module_info(module_, &self, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr);
        *self = this;
        Dwarf_Addr bias = 0;
        has_debug_info_ = libdw().dwfl_module_getdwarf(module_, &bias) != nullptr;
        libdw().dwfl_module_getelf(module_, &bias_);
    }
    void close() {
        if (session_ != nullptr) libdw().dwfl_end(session_);
        session_ = nullptr;
        module_ = nullptr;
    }

    static int give_image(Dwfl_Module*, void** self, const char*, Dwarf_Addr, char** path, Elf** elf) {
        auto& file = *static_cast<ElfFile*>(*self);
        const auto bytes = file.image_.bytes();
        *path = ::strdup(file.path_.c_str());
        *elf = libdw().elf_memory(reinterpret_cast<char*>(bytes.data()), bytes.size());
        return -1;
    }

    static int note_separate_file(Dwfl_Module* module, void** self, const char* name, Dwarf_Addr base,
                                  const char* path, const char* link, GElf_Word checksum, char** found_path) {
        auto& file = *static_cast<ElfFile*>(*self);
        if (!file.searches_) return -1;
        const FileDescriptor found(
            libdw().dwfl_standard_find_debuginfo(module, self, name, base, path, link, checksum, found_path));
        if (!found) return -1;
        try {
            file.separate_ = whole_file(found.get());
            file.separate_path_ = *found_path != nullptr ? *found_path : file.path_;
        } catch (...) {  // out of memory: then there are no lines
        }
        std::free(std::exchange(*found_path, nullptr));
        return -1;
    }

    Mapping image_;
    std::string path_;
    Headers headers_;
    Dwfl_Callbacks callbacks_{};
    char* debuginfo_path_ = nullptr;
    Dwfl* session_ = nullptr;
    Dwfl_Module* module_ = nullptr;
    Dwarf_Addr bias_ = 0;   ///< of libdw's addresses
    bool searches_ = true;  ///< for a separate file
    bool has_debug_info_ = false;
    Mapping separate_;
    std::string separate_path_;
};

// A binary and its debug information, opened once.
class Session {
public:
    Session(const std::string& name, const char* path, const FileVersion& version)
        : name_(name), path_(path), version_(version) {
        const int number = ::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (number < 0) return;
        const FileDescriptor file = above_standard_streams(number);
        binary_ = std::make_unique<ElfFile>(whole_file(file.get()), path);
        separate_ = binary_->take_separate_file();
    }

    bool is_of(const std::string& name, const char* path) const { return name_ == name && path_ == path; }
    const FileVersion& version() const noexcept { return version_; }
    std::string build_id() const { return binary_ ? binary_->headers().build_id() : ""; }
    bool is_used_up() const noexcept { return known_.size() >= most_places_of_a_session; }

    /// What was found at this offset of the file; null if not requested.
    const std::vector<Place>* known(std::uint64_t offset) const {
        const auto found = known_.find(offset);
        return found == known_.end() ? nullptr : &found->second;
    }
    const std::vector<Place>& look_up(std::uint64_t offset) {
        const auto* const places = known(offset);
        return places != nullptr ? *places : known_.emplace(offset, read(offset)).first->second;
    }

private:
    std::vector<Place> read(std::uint64_t offset) const {
        const auto address = binary_ ? binary_->headers().address_of(offset) : std::nullopt;
        if (!address) return {Place{"", "", name_}};
        std::vector<Place> places;
        if (separate_) places = separate_->look_up(*address);
        if (places.empty() || places.back().function.empty()) places = binary_->look_up(*address);
        for (Place& place : places) place.binary = name_;
        return places;
    }

    std::string name_;
    std::string path_;
    FileVersion version_;
    std::unique_ptr<ElfFile> binary_;
    std::unique_ptr<ElfFile> separate_;
    std::unordered_map<std::uint64_t, std::vector<Place>> known_;
};

// All sessions of this process. A copy of the process has them too: no other thread uses them while it
// is made.
class Sessions {
public:
    std::vector<Place> look_up(const MappedCode& code, std::uintptr_t address) {
        const std::uint64_t offset = address - code.begin + code.offset;
        const std::lock_guard guard(mutex_);
        if (const Session* const session = session_of(code, Opens::nothing)) {
            if (const auto* const places = session->known(offset)) return *places;
        }
        struct Errand {
            Sessions& sessions;
            const MappedCode& code;
            std::uint64_t offset;
            std::vector<Place> places;
            std::exception_ptr error;
        } errand{*this, code, offset, {}, {}};
        // Reading debug information takes more than a small stack.
        run_with_usual_stack(
            [](void* raw) {
                auto& here = *static_cast<Errand*>(raw);
                try {
                    Session* const session = here.sessions.session_of(here.code, Opens::what_it_needs);
                    here.places = session != nullptr ? session->look_up(here.offset)
                                                     : std::vector{Place{"", "", here.code.path}};
                } catch (...) {
                    here.error = std::current_exception();
                }
            },
            &errand);
        if (errand.error) std::rethrow_exception(errand.error);
        return std::move(errand.places);
    }

private:
    enum class Opens { nothing, what_it_needs };

    // The file may have been replaced or removed since. The running program can still be opened.
    Session* session_of(const MappedCode& code, Opens opens) {
        const std::string path = without_deleted(code.path);
        if (path == code.path || !code.build_id.empty()) {
            Session* const session = session_at(path, path.c_str(), opens);
            if (session != nullptr && (code.build_id.empty() || session->build_id() == code.build_id))
                return session;
        }
        if (code.build_id.empty() || code.build_id != main_module().build_id || is_run_by_loader())
            return nullptr;
        return session_at(path, running_program, opens);
    }

    // Most recently used first.
    Session* session_at(const std::string& name, const char* path, Opens opens) {
        const auto version = version_of(path);
        const auto found = std::find_if(sessions_.begin(), sessions_.end(),
                                        [&](const auto& each) { return each->is_of(name, path); });
        if (found != sessions_.end()) {
            if (version && (*found)->version() == *version && !(*found)->is_used_up()) {
                std::rotate(sessions_.begin(), found, found + 1);
                return sessions_.front().get();
            }
            sessions_.erase(found);
        }
        if (!version || opens == Opens::nothing) return nullptr;
        if (sessions_.size() == most_sessions) sessions_.pop_back();
        sessions_.insert(sessions_.begin(), std::make_unique<Session>(name, path, *version));
        return sessions_.front().get();
    }

    ForkMutex mutex_;
    std::vector<std::unique_ptr<Session>> sessions_;
};

// Never destroyed: a program may name a stack while statics are destroyed.
Sessions& sessions() {
    static auto* const instance = new Sessions;
    return *instance;
}
// Created before main: a fork while another thread creates it would leave the child blocked
// indefinitely.
[[maybe_unused]] auto& sessions_made = sessions();

}  // namespace

std::vector<Place> places_at(const MappedCode& code, std::uintptr_t address) {
    const NotHalted whole;  // loading libdw takes the dynamic loader's lock
    return sessions().look_up(code, address);
}

std::size_t debug_info_sessions_opened() noexcept { return sessions_opened; }

}  // namespace chorus::inline v0::detail::platform
