#include "queue/record_group.h"

#include <gtest/gtest.h>

#include <climits>

namespace facteur::queue {
namespace {

std::string text_of(const std::vector<iovec>& pieces)
{
    std::string text;
    for (const auto& piece : pieces)
        text.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
    return text;
}

TEST(RecordGroup, PiecesMakeTheSameRecord)
{
    const std::string long_payload(100'001, 'x');
    struct Case {
        std::string_view id;
        std::vector<std::string> pieces;
    };
    for (const auto& [id, pieces] : std::vector<Case>{{"ABCDEF1", {}},
                                                      {"ABCDEF1", {""}},
                                                      {"ABCDEF1", {"x"}},
                                                      {"ABCDEF12", {"head", "", "tail"}},
                                                      {"ABCDEF123", {"12345678"}},
                                                      {"A", {long_payload, "end"}}}) {
        std::string payload;
        for (const auto& piece : pieces)
            payload += piece;
        RecordGroup group;
        group.append_pieces(RecordType::message, id, pieces);
        group.append(RecordType::message, id, payload);
        ASSERT_EQ(group.count(), 2U);
        EXPECT_EQ(group.size_of(0), group.size_of(1));
        const std::string both = text_of(group.seal(0, 2, 77));
        ASSERT_EQ(both.size(), 2 * group.size_of(0));
        EXPECT_EQ(both.substr(0, group.size_of(0)), both.substr(group.size_of(0)));

        const std::string segment = encode_segment_header(77) + both;
        const auto records = parse_segment(segment, 77);
        ASSERT_EQ(records.size(), 2U) << id;
        for (const auto& record : records) {
            EXPECT_EQ(record.id, id);
            EXPECT_EQ(record.payload, payload);
        }
        EXPECT_TRUE(parse_segment(segment, 78).empty());
    }
}

TEST(RecordGroup, SealedAnewForAnotherSegment)
{
    RecordGroup group;
    group.append_pieces(RecordType::message, "ABCDEF", {"one", "two"});
    const std::string first = text_of(group.seal(0, 1, 1));
    const std::string second = text_of(group.seal(0, 1, 2));
    EXPECT_EQ(parse_segment(encode_segment_header(1) + first, 1).size(), 1U);
    EXPECT_EQ(parse_segment(encode_segment_header(2) + second, 2).size(), 1U);
}

TEST(RecordGroup, FitsWholeRecordsAndWhatOneCallWrites)
{
    RecordGroup group;
    for (int i = 0; i < 2000; ++i)
        group.append_pieces(RecordType::message, "ABCDEF", {"123"}); // 41 bytes
    const std::size_t one = group.size_of(0);
    EXPECT_EQ(one, 48U);
    struct Case {
        std::size_t first;
        std::size_t room;
        std::size_t end;
    };
    for (const auto& [first, room, end] :
         std::vector<Case>{{0, 0, 0}, {0, one - 1, 0}, {0, one, 1}, {5, 3 * one + 1, 8}, {1999, one << 10, 2000}}) {
        const auto part = group.fit(first, room);
        EXPECT_EQ(part.end, end) << first << ' ' << room;
        EXPECT_EQ(part.size, (end - first) * one);
    }
    std::size_t written = 0;
    for (std::size_t first = 0; first < group.count();) {
        const auto part = group.fit(first, 1 << 20);
        ASSERT_GT(part.end, first);
        const auto pieces = group.seal(first, part.end, 9);
        EXPECT_LE(pieces.size(), static_cast<std::size_t>(IOV_MAX));
        written += text_of(pieces).size();
        first = part.end;
    }
    EXPECT_EQ(written, group.count() * one);
}

} // namespace
} // namespace facteur::queue
