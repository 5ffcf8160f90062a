#include "base/directory.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <map>

namespace facteur {
namespace {

namespace fs = std::filesystem;

TEST(Directory, TellsNamesAndKinds)
{
    std::string place = (fs::temp_directory_path() / "facteur-directory-XXXXXX").string();
    ASSERT_NE(::mkdtemp(place.data()), nullptr);
    std::ofstream(place + "/file");
    std::ofstream(place + "/.hidden");
    fs::create_directory(place + "/below");
    fs::create_directory_symlink(place + "/below", place + "/link");

    const auto entries = read_directory(place);
    ASSERT_TRUE(entries);
    std::map<std::string, bool> kinds;
    for (const auto& entry : *entries) {
        kinds[entry.name] = entry.is_directory;
        EXPECT_NE(entry.inode, 0U);
    }
    EXPECT_EQ(kinds,
              (std::map<std::string, bool>{{".hidden", false}, {"below", true}, {"file", false}, {"link", false}}));
    EXPECT_TRUE(read_directory(place + "/below")->empty());
    EXPECT_EQ(read_directory(place + "/file").error().code, ENOTDIR);
    EXPECT_EQ(read_directory(place + "/nowhere").error().code, ENOENT);
    fs::remove_all(place);
}

} // namespace
} // namespace facteur
