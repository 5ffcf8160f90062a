// Acting as the owner of a file.
#pragma once

#include <sys/stat.h>

#include <expected>
#include <optional>
#include <string>

namespace facteur::table {

// While it lives, root has the rights of a regular file's owner and group only. Does nothing for others than root.
class EffectiveOwner {
public:
    // Nothing: stay as we are. The error is a sentence.
    static std::expected<EffectiveOwner, std::string> become(const std::optional<struct stat>& file);
    EffectiveOwner(EffectiveOwner&& other) noexcept;
    EffectiveOwner& operator=(EffectiveOwner&&) = delete;
    ~EffectiveOwner();

private:
    EffectiveOwner() = default;
    bool active_ = false;
};

} // namespace facteur::table
