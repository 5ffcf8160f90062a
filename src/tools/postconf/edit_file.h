// A file replaced as a whole: written beside the old one under a lock, flushed, then renamed over it.
#pragma once

#include "base/fd.h"
#include "tools/postconf/options.h"

#include <string>
#include <string_view>

namespace facteur::postconf {

class FileEdit {
public:
    // Takes the lock (that of path.tmp, as Postfix does) and reads what is there.
    static std::expected<FileEdit, std::string> open(std::string path);
    FileEdit(FileEdit&&) = default;
    FileEdit& operator=(FileEdit&&) = default;
    ~FileEdit();

    [[nodiscard]] const std::string& text() const { return text_; }
    [[nodiscard]] const std::string& path() const { return path_; }
    // Nothing is changed until this succeeds.
    Result commit(std::string_view new_text);

private:
    FileEdit(std::string path, std::string text, UniqueFd temporary)
        : path_(std::move(path)), text_(std::move(text)), temporary_(std::move(temporary))
    {
    }

    std::string path_;
    std::string text_;
    UniqueFd temporary_;
};

} // namespace facteur::postconf
