// Files that claim to be LMDB.
#include "table/lmdb_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using facteur::table::LmdbFile;
    static const int fd = ::memfd_create("table", 0);
    static const std::string path = "/proc/self/fd/" + std::to_string(fd);
    if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, data, size, 0) != static_cast<ssize_t>(size))
        std::abort();
    auto file = LmdbFile::open(path);
    if (!file)
        return 0;
    (void)file->find("key");
    (void)file->find(std::string_view("\0", 1));
    (void)file->for_each([](std::string_view, std::string_view) {});
    return 0;
}
