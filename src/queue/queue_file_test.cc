#include "queue/checksum.h"
#include "queue/queue_file.h"
#include "queue/queue_id.h"
#include "queue/spool.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <set>

namespace facteur::queue {
namespace {

// A private queue directory; the process works inside it, as daemons do.
class QueueDirectory : public ::testing::Test {
protected:
    void SetUp() override
    {
        char name[] = "/tmp/facteur-queue-XXXXXX";
        root_ = ::mkdtemp(name);
        ASSERT_EQ(::chdir(root_.c_str()), 0);
        for (const auto queue : kMessageQueues)
            std::filesystem::create_directory(queue);
    }
    void TearDown() override
    {
        ASSERT_EQ(::chdir("/"), 0);
        std::filesystem::remove_all(root_);
    }
    void put(const std::string& path, std::string_view bytes, unsigned mode = 0700)
    {
        const auto fd = open_file(path, O_WRONLY | O_CREAT, 0600);
        ASSERT_TRUE(fd.has_value());
        ASSERT_TRUE(write_all(fd->get(), bytes, path).has_value());
        ASSERT_EQ(::fchmod(fd->get(), mode), 0);
    }
    std::string root_;
};

Envelope sample_envelope()
{
    Envelope envelope;
    envelope.set_sender("joe@a.example");
    envelope.add_recipients()->set_address("x@y.example");
    envelope.add_recipients()->set_address("z@y.example");
    return envelope;
}

TEST(Crc32c, KnownAnswers)
{
    EXPECT_EQ(crc32c("123456789"), 0xE3069283U);
    EXPECT_EQ(crc32c(""), 0U);
    EXPECT_EQ(crc32c("56789", crc32c("1234")), 0xE3069283U);
}

TEST_F(QueueDirectory, WritesAndReadsAMessage)
{
    put("incoming/ABCDEF1", encode_queue_file("Subject: x\r\n\r\nhi\r\n", sample_envelope(), content_flag::dots));
    auto file = QueueFile::open("incoming/ABCDEF1", O_RDWR);
    ASSERT_TRUE(file.has_value());
    EXPECT_EQ(file->read_content(0, 10), "Subject: x");
    EXPECT_EQ(file->read_envelope()->recipients(1).address(), "z@y.example");
    EXPECT_EQ(file->read_states(), "RR");
    ASSERT_TRUE(mark_recipient_done(file->fd(), file->header().status_offset() + 1));
    EXPECT_EQ(file->read_states(), "RD");
    EXPECT_FALSE(file->read_content(10, 10).has_value());
}

TEST_F(QueueDirectory, RefusesWhatIsNotComplete)
{
    const std::string whole = encode_queue_file("hi\r\n", sample_envelope(), 0);
    struct Case {
        std::string bytes;
        unsigned mode;
        int code;
    };
    std::string flipped = whole;
    flipped[20] ^= 1;
    const Case cases[] = {
        {whole, 0600, EBUSY},        {whole.substr(0, whole.size() - 1), 0700, EINVAL},
        {whole + "x", 0700, EINVAL}, {flipped, 0700, EINVAL},
        {"", 0700, EINVAL},          {std::string(200, 'x'), 0700, EINVAL},
    };
    for (const auto& test : cases) {
        ::unlink("incoming/ABCDEF1");
        put("incoming/ABCDEF1", test.bytes, test.mode);
        const auto file = QueueFile::open("incoming/ABCDEF1", O_RDONLY);
        ASSERT_FALSE(file.has_value());
        EXPECT_EQ(file.error().code, test.code);
    }
}

TEST_F(QueueDirectory, MovesThroughHashedQueues)
{
    const Spool spool("deferred, defer", 2);
    EXPECT_EQ(spool.path("deferred", "5A04BA72140"), "deferred/5/A/5A04BA72140");
    put("incoming/5A04BA72140", "x");
    ASSERT_TRUE(spool.move("5A04BA72140", kIncoming, kDeferred));
    EXPECT_EQ(spool.find("5A04BA72140"), kDeferred);
    std::vector<std::string> seen;
    ASSERT_TRUE(spool.scan(kDeferred, [&](const std::string& id, const std::string&) {
        seen.push_back(id);
        return true;
    }));
    EXPECT_EQ(seen, std::vector<std::string>{"5A04BA72140"});
    put("incoming/5A04BA72140", "y");
    EXPECT_EQ(spool.move("5A04BA72140", kIncoming, kDeferred).error().code, EEXIST);
    EXPECT_EQ(spool.move("0000000", kIncoming, kDeferred).error().code, ENOENT);
}

TEST(QueueIds, AreDistinctAndValid)
{
    for (const IdForm form : {IdForm::short_form, IdForm::long_form}) {
        IdSource source(form);
        std::set<std::string> seen;
        for (int i = 0; i < 5000; ++i) {
            const auto id = source.next();
            EXPECT_TRUE(valid_queue_id(id)) << id;
            EXPECT_TRUE(seen.insert(id).second);
        }
    }
    EXPECT_FALSE(valid_queue_id("../../x"));
    EXPECT_FALSE(valid_queue_id("ABC"));
}

} // namespace
} // namespace facteur::queue
