// Indexed tables: what the writer writes the reader reads, also while it is being written and when it is damaged.
#include "base/fd.h"
#include "base/log.h"
#include "table/lmdb_file.h"
#include "table/lmdb_writer.h"
#include "table/maintenance.h"
#include "table/table.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

namespace facteur::table {
namespace {

namespace fs = std::filesystem;

constexpr LmdbCreation kSmall{.map_size = 16 << 10, .mode = 0640};

class LmdbTest : public testing::Test {
protected:
    LmdbTest()
    {
        char name[] = "/tmp/facteur_lmdb_XXXXXX";
        folder_ = ::mkdtemp(name);
        path_ = folder_ + "/t.lmdb";
    }
    ~LmdbTest() override { fs::remove_all(folder_); }

    void write(int count, std::size_t value_size, int first = 0) const
    {
        auto writer = LmdbWriter::replace(path_, kSmall);
        ASSERT_TRUE(writer) << writer.error();
        for (int i = first; i < first + count; ++i)
            ASSERT_TRUE(*writer->put(key(i), value(i, value_size), Overwrite::no));
        const auto done = writer->commit();
        ASSERT_TRUE(done) << done.error();
    }
    static std::string key(int i) { return fmt::format("key {:06}", i); }
    static std::string value(int i, std::size_t size) { return std::string(size, static_cast<char>('a' + i % 26)); }

    std::string folder_;
    std::string path_;
    config::Config config_ = *config::Config::from_text("lmdb_map_size = 65536\n");
};

TEST_F(LmdbTest, ReadsWhatWasWritten)
{
    for (const auto& [count, size] : {std::pair{0, 1}, {1, 1}, {100, 10}, {20000, 20}, {50, 20000}}) {
        write(count, static_cast<std::size_t>(size));
        auto file = LmdbFile::open(path_);
        ASSERT_TRUE(file) << file.error();
        for (int i = 0; i < count; ++i)
            ASSERT_EQ(file->find(key(i)), value(i, static_cast<std::size_t>(size))) << i;
        EXPECT_EQ(file->find("key"), std::nullopt);
        EXPECT_EQ(file->find("zzz"), std::nullopt);
        int seen = 0;
        ASSERT_TRUE(file->for_each([&](std::string_view k, std::string_view) { EXPECT_EQ(k, key(seen++)); }));
        EXPECT_EQ(seen, count);
    }
}

TEST_F(LmdbTest, ChangesInPlace)
{
    write(1000, 10);
    auto file = LmdbFile::open(path_);
    ASSERT_TRUE(file);
    auto writer = LmdbWriter::update(path_, kSmall);
    ASSERT_TRUE(writer) << writer.error();
    EXPECT_EQ(writer->put(key(3), "new", Overwrite::no), false);
    EXPECT_EQ(writer->put(key(3), "new", Overwrite::yes), true);
    EXPECT_EQ(writer->erase(key(4)), true);
    EXPECT_EQ(writer->erase("nothing"), false);
    for (int i = 1000; i < 3000; ++i)
        ASSERT_TRUE(*writer->put(key(i), value(i, 100), Overwrite::no));
    EXPECT_EQ(file->find(key(4)), value(4, 10));
    ASSERT_TRUE(writer->commit());
    EXPECT_EQ(file->find(key(3)), "new");
    EXPECT_EQ(file->find(key(4)), std::nullopt);
    EXPECT_EQ(file->find(key(2999)), value(2999, 100));
}

TEST_F(LmdbTest, AnAbandonedWriterLeavesNothing)
{
    write(10, 10);
    {
        auto writer = LmdbWriter::replace(path_, kSmall);
        ASSERT_TRUE(writer);
        ASSERT_TRUE(writer->put("a", "b", Overwrite::no));
    }
    EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1);
    EXPECT_EQ(LmdbFile::open(path_)->find(key(1)), value(1, 10));
}

TEST_F(LmdbTest, KeepsTheModeOfTheOldFile)
{
    write(1, 1);
    struct stat st{};
    ASSERT_EQ(::stat(path_.c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 07777, 0640U);
    ASSERT_EQ(::chmod(path_.c_str(), 0604), 0);
    write(1, 1);
    ASSERT_EQ(::stat(path_.c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 07777, 0604U);
}

TEST_F(LmdbTest, TablesFollowAReplacedFile)
{
    write(10, 10);
    const auto table = open_table("hash:" + folder_ + "/t", {}, config_);
    EXPECT_EQ(table->lookup(key(1)), LookupResult(value(1, 10)));
    write(10, 10, 100);
    EXPECT_EQ(table->lookup(key(1)), LookupResult(std::nullopt));
    EXPECT_EQ(table->lookup(key(101)), LookupResult(value(101, 10)));
    EXPECT_FALSE(table->changed());
    fs::remove(path_);
    EXPECT_EQ(table->lookup(key(101)), LookupResult(value(101, 10)));
    EXPECT_TRUE(table->changed());
}

TEST_F(LmdbTest, ReadersSeeWholeCommitsOnly)
{
    write(2000, 50);
    std::atomic<bool> stop = false;
    std::thread writing([&] {
        for (int round = 0; round < 60; ++round) {
            auto writer = LmdbWriter::update(path_, kSmall);
            for (int i = round % 7; writer && i < 2000; i += 7)
                (void)writer->put(key(i), value(round, 50 + static_cast<std::size_t>(round) * 40), Overwrite::yes);
            if (writer)
                (void)writer->commit();
        }
        stop = true;
    });
    auto file = LmdbFile::open(path_);
    int wrong = file ? 0 : 1;
    for (int i = 0; !stop && file; i = (i + 13) % 2000) {
        const auto found = file->find(key(i));
        wrong += !found || !*found || (*found)->find_first_not_of((**found)[0]) != std::string::npos ? 1 : 0;
    }
    writing.join();
    EXPECT_EQ(wrong, 0);
}

TEST_F(LmdbTest, DamageIsAnError)
{
    write(3000, 40);
    const std::string whole = *read_file(path_);
    std::minstd_rand random(7);
    for (int round = 0; round < 300; ++round) {
        std::string damaged = whole;
        for (int i = 0; i < 400; ++i)
            damaged[random() % damaged.size()] = static_cast<char>(random());
        if (round % 3 == 0)
            damaged.resize(random() % damaged.size());
        std::ofstream(path_, std::ios::trunc) << damaged;
        auto file = LmdbFile::open(path_);
        for (int i = 0; file && i < 3000; i += 97)
            (void)file->find(key(i));
        if (file)
            (void)file->for_each([](std::string_view, std::string_view) {});
    }
    std::ofstream(path_, std::ios::trunc) << "junk";
    EXPECT_EQ(LmdbFile::open(path_).error(), "MDB_INVALID: File is not an LMDB file");
    std::ofstream(path_, std::ios::trunc) << whole.substr(0, 10000);
    auto file = LmdbFile::open(path_);
    ASSERT_TRUE(file);
    EXPECT_FALSE(file->find(key(2999)));
}

TEST_F(LmdbTest, ShrinkingUnderTheReaderIsAnError)
{
    write(3000, 40);
    auto file = LmdbFile::open(path_);
    ASSERT_TRUE(file);
    fs::resize_file(path_, 8192);
    EXPECT_FALSE(file->find(key(1)));
}

TEST_F(LmdbTest, TablesAreBuiltFromTheirSource)
{
    std::ofstream(folder_ + "/source") << "Key value\n";
    Maintenance how;
    const std::string spec = "btree:" + folder_ + "/source";
    ASSERT_TRUE(build_table(spec, how, config_));
    EXPECT_EQ(open_table(spec, {}, config_)->lookup("KEY"), LookupResult("value"));
    EXPECT_EQ(erase_from_tables({spec}, "key", how, config_), true);
    EXPECT_EQ(erase_from_tables({spec}, "key", how, config_), false);
    how.format = SourceFormat::alias;
    std::ofstream(folder_ + "/source") << "Root: admin , \"a b\"@c\n";
    ASSERT_TRUE(build_table(spec, how, config_));
    EXPECT_EQ(open_table(spec, {}, config_)->lookup("root"), LookupResult("admin, \"a b\"@c"));
    EXPECT_EQ(open_table(spec, {}, config_)->lookup("@"), LookupResult("@"));
}

} // namespace
} // namespace facteur::table
