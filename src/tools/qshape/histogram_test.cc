#include "tools/qshape/histogram.h"

#include <gtest/gtest.h>

namespace facteur::qshape {
namespace {

Histogram five(const Shape& shape)
{
    Histogram histogram(shape);
    for (const char* address : {"u@d1.example", "u@D2.example", "v@d2.example.", "u@d1..example", "u@sub.d1.example"})
        histogram.add(address, 10);
    return histogram;
}

TEST(Histogram, RecipientsByDomain)
{
    EXPECT_EQ(five({}).table(0), "                                         T  5 10 20 40 80 160 320 640 1280 1280+\n"
                                 "                                  TOTAL  5  5  0  0  0  0   0   0   0    0     0\n"
                                 "                             d1.example  2  2  0  0  0  0   0   0   0    0     0\n"
                                 "                             d2.example  2  2  0  0  0  0   0   0   0    0     0\n"
                                 "                         sub.d1.example  1  1  0  0  0  0   0   0   0    0     0\n");
}

TEST(Histogram, Empty)
{
    EXPECT_EQ(Histogram({}).table(0),
              "                                         T  5 10 20 40 80 160 320 640 1280 1280+\n"
              "                                  TOTAL  0  0  0  0  0  0   0   0   0    0     0\n");
}

TEST(Histogram, BucketsAndLinearAges)
{
    EXPECT_EQ(five({.buckets = 5, .minutes = 2}).table(1),
              "                                                               T  2  4  8 16 16+\n"
              "                                                        TOTAL  5  5  0  0  0   0\n");
    EXPECT_EQ(five({.linear = true}).table(1),
              "                                                T  5 10 15 20 25 30 35 40 45 45+\n"
              "                                         TOTAL  5  5  0  0  0  0  0  0  0  0   0\n");
}

TEST(Histogram, Parents)
{
    const std::string table = five({.parents = true, .minimum_subdomains = 1}).table(0);
    EXPECT_NE(table.find("                            .d1.example  1  1"), std::string::npos) << table;
    EXPECT_EQ(table.find(" .example"), std::string::npos) << table;
}

TEST(Histogram, AgesAndNullSender)
{
    Histogram histogram({.buckets = 3, .minutes = 1});
    histogram.add("", 59);
    histogram.add("a@x.example", 60);
    histogram.add("a@x.example", 130);
    histogram.add("a@x.example", 100000);
    EXPECT_EQ(histogram.table(0), "                                                                      T  1  2 2+\n"
                                  "                                                               TOTAL  4  1  1  2\n"
                                  "                                                           x.example  3  0  1  2\n"
                                  "                                                       MAILER-DAEMON  1  1  0  0\n");
}

TEST(Histogram, ACopyIsAPlaceToReturnTo)
{
    Histogram histogram = five({});
    Histogram before = histogram;
    const std::string table = histogram.table(0);
    histogram.add("u@d1.example", 10);
    histogram.add("u@d3.example", 10);
    EXPECT_EQ(before.table(0), table);
    histogram = std::move(before);
    histogram.add("u@d1.example", 10);
    EXPECT_NE(histogram.table(0).find("d1.example  3  3"), std::string::npos) << histogram.table(0);
    EXPECT_EQ(histogram.table(0).find("d3.example"), std::string::npos);
}

TEST(Histogram, LongNamesKeepTheirEnd)
{
    Histogram histogram({.width = 81});
    histogram.add("a@" + std::string(60, 'x') + ".example", 1);
    EXPECT_NE(histogram.table(0).find("\n+xxxxx"), std::string::npos);
}

} // namespace
} // namespace facteur::qshape
