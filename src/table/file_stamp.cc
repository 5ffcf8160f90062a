#include "table/file_stamp.h"

#include <sys/stat.h>

namespace facteur::table {

std::optional<FileStamp> FileStamp::of(const std::string& path)
{
    struct stat st{};
    if (::stat(path.c_str(), &st) != 0)
        return std::nullopt;
    return FileStamp{st.st_dev, st.st_ino, st.st_size, st.st_mtim};
}

} // namespace facteur::table
