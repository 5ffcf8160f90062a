// Whole conversations with a scripted server over a socket pair, and the same with the server failing at every step.
#include "base/fd.h"
#include "daemons/smtp/cache.h"
#include "daemons/smtp/handshake.h"
#include "daemons/smtp/transaction.h"
#include "ipc/flags.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

namespace facteur::smtp_client {
namespace {

// What the server waits for, and what it says then. A line that ends in "..." matches by its start; "<body>" takes
// everything up to the lone dot.
struct Exchange {
    std::string expect;
    std::string reply; // lines with CRLF; "" says nothing
};
using Script = std::vector<Exchange>;

struct Server {
    std::string heard; // everything, commands and content
    std::string body;
    bool surprised = false;
    bool done = false;
};

struct NoteEnd {
    bool& flag;
    ~NoteEnd() { flag = true; }
};

event::Task<std::string> read_line(net::Stream& stream)
{
    for (;;) {
        if (const auto line = stream.take_line(100'000))
            co_return std::string(line->text);
        const auto filled = co_await stream.fill(std::chrono::milliseconds(5000));
        if (!filled)
            co_return std::string("<lost>");
    }
}

event::Task<void> serve(std::unique_ptr<net::Stream> stream, Script script, Server& record)
{
    const NoteEnd note{record.done};
    for (const Exchange& exchange : script) {
        if (exchange.expect == "<body>") {
            for (;;) {
                std::string line = co_await read_line(*stream);
                if (line == "." || line == "<lost>")
                    break;
                record.body += line + "\r\n";
            }
        } else if (!exchange.expect.empty()) {
            const std::string line = co_await read_line(*stream);
            record.heard += line + "\n";
            const bool prefix = exchange.expect.ends_with("...");
            const bool match = prefix ? line.starts_with(exchange.expect.substr(0, exchange.expect.size() - 3))
                                      : line == exchange.expect;
            if (!match) {
                record.surprised = true;
                co_return;
            }
        }
        stream->queue(exchange.reply);
        const auto flushed = co_await stream->flush(std::chrono::milliseconds(5000));
        if (!flushed)
            co_return;
    }
    // Hang up at the end of the script.
}

class TempContent {
public:
    explicit TempContent(const std::string& bytes)
    {
        char name[] = "/tmp/smtp-content-XXXXXX";
        fd_.reset(::mkstemp(name));
        ::unlink(name);
        EXPECT_EQ(::write(fd_.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
        size_ = bytes.size();
    }
    [[nodiscard]] queue::Content content() const { return {nullptr, fd_.get(), 0, size_}; }

private:
    UniqueFd fd_;
    std::size_t size_ = 0;
};

Settings quick_settings(Protocol protocol = Protocol::smtp)
{
    Settings settings;
    settings.protocol = protocol;
    settings.myhostname = settings.helo_name = "me.example";
    const milliseconds wait(400);
    settings.timeouts = {wait, wait, wait, wait, wait, wait, wait, wait, wait, wait};
    return settings;
}

queue::Recipient recipient(std::string address)
{
    queue::Recipient made;
    made.set_address(std::move(address));
    return made;
}

struct Conversation {
    Settings settings = quick_settings();
    queue::Envelope envelope;
    std::vector<queue::Recipient> recipients{recipient("x@y.example"), recipient("z@y.example")};
    std::string content = "Subject: t\r\n\r\nhi\r\n";
    std::uint32_t content_flags = 0;
    bool verify_only = false;
    bool reused = false;
    bool last_message = false;

    // What came of it.
    Server server;
    std::expected<void, Trouble> greeted;
    TransactionResult result;
    ServerFeatures features;

    void run(Script script)
    {
        event::Loop loop;
        int ends[2];
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
        event::spawn(serve(std::make_unique<net::Stream>(loop, UniqueFd(ends[1])), std::move(script), server));
        auto session = std::make_unique<Session>(std::make_unique<net::Stream>(loop, UniqueFd(ends[0])),
                                                 Peer{"mx.y.example", "192.0.2.1", 25}, false);
        loop.run_until_done(talk(*session));
        features = session->server;
        session.reset();
        loop.run_until_done(until_server_ended(loop));
    }
    event::Task<void> until_server_ended(event::Loop& loop)
    {
        while (!server.done)
            co_await loop.sleep(milliseconds(1));
    }
    event::Task<void> talk(Session& session)
    {
        HandshakeOptions options{.queue_id = "ABC", .nexthop = "y.example", .detect_loops = true};
        greeted = co_await shake_hands(session, settings, std::move(options));
        if (!greeted)
            co_return;
        const TempContent file(content);
        Message message{.queue_id = "ABC",
                        .envelope = envelope,
                        .recipients = {},
                        .content = file.content(),
                        .content_flags = content_flags,
                        .verify_only = verify_only};
        for (const auto& each : recipients)
            message.recipients.push_back(&each);
        session.reused = reused;
        session.last_message = last_message;
        Transaction transaction(session, message, settings);
        result = co_await transaction.run();
        co_await quit_session(session, settings);
    }
    // "0:ok 1:5.1.1 rest:4.4.2"
    [[nodiscard]] std::string summary() const
    {
        if (!greeted)
            return "greeting:" + greeted.error().status;
        std::string text;
        for (const auto& outcome : result.outcomes)
            text += fmt::format("{}:{} ", outcome.position, outcome.trouble ? outcome.trouble->status : "ok");
        if (result.rest)
            text += "rest:" + result.rest->status + " ";
        if (result.throttle)
            text += "throttle ";
        if (result.stale)
            text += "stale ";
        if (result.needs_reset)
            text += "reset ";
        text += result.reusable ? "reusable" : "used up";
        return text;
    }
};

constexpr const char* kPipelined =
    "250-mx.y.example\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 DSN\r\n";
constexpr const char* kPlain = "250 mx.y.example\r\n";

Script hello(std::string features)
{
    return {{"", "220 mx.y.example ESMTP\r\n"}, {"EHLO me.example", std::move(features)}};
}

Script operator+(Script a, Script b)
{
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

TEST(Conversation, PipelinedDelivery)
{
    Conversation talk;
    talk.envelope.set_sender("joe@a.example");
    talk.run(hello(kPipelined) + Script{{"MAIL FROM:<joe@a.example> SIZE=18", ""},
                                        {"RCPT TO:<x@y.example> ORCPT=rfc822;x@y.example", ""},
                                        {"RCPT TO:<z@y.example> ORCPT=rfc822;z@y.example", ""},
                                        {"DATA", "250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n250 2.1.5 Ok\r\n354 go\r\n"},
                                        {"<body>", "250 2.0.0 queued\r\n"},
                                        {"QUIT", "221 bye\r\n"}});
    EXPECT_EQ(talk.summary(), "0:ok 1:ok reusable");
    EXPECT_FALSE(talk.server.surprised) << talk.server.heard;
    EXPECT_EQ(talk.server.body, talk.content);
    EXPECT_EQ(talk.result.outcomes[0].reply.one_line(), "250 2.0.0 queued");
    EXPECT_EQ(talk.result.outcomes[0].reply.status, "2.0.0");
}

// QUIT goes out with the final dot where the server can take that: it is there before the dot is answered.
TEST(Conversation, TheLastMessageTakesQuitAlong)
{
    const Script envelope{{"MAIL FROM:<>", "250 ok\r\n"},
                          {"RCPT TO:<x@y.example>", "250 ok\r\n"},
                          {"RCPT TO:<z@y.example>", "250 ok\r\n"},
                          {"DATA", "354 go\r\n"}};
    struct Case {
        const char* features;
        Script end;
        std::string_view summary;
    };
    const std::string pipelining = "250-mx.y.example\r\n250 PIPELINING\r\n";
    const Case cases[] = {
        {pipelining.c_str(), {{"<body>", ""}, {"QUIT", "250 ok\r\n221 bye\r\n"}}, "0:ok 1:ok reusable"},
        {pipelining.c_str(), {{"<body>", ""}, {"QUIT", "450 later\r\n221 bye\r\n"}}, "rest:4.0.0 reusable"},
        {pipelining.c_str(), {{"<body>", ""}, {"QUIT", "421 going\r\n"}}, "rest:4.0.0 used up"},
        {pipelining.c_str(), {{"<body>", ""}, {"QUIT", ""}}, "rest:4.4.2 throttle used up"},
        {kPlain, {{"<body>", "250 ok\r\n"}, {"QUIT", "221 bye\r\n"}}, "0:ok 1:ok reusable"},
    };
    for (const bool file : {false, true})
        for (const auto& each : cases) {
            Conversation talk;
            talk.last_message = true;
            // Small, and too large to be sent at once.
            for (int line = 0; file && line < 1000; ++line)
                talk.content += std::string(100, 'x') + "\r\n";
            talk.run(hello(each.features) + envelope + each.end);
            EXPECT_EQ(talk.summary(), each.summary) << talk.server.heard;
            EXPECT_FALSE(talk.server.surprised) << talk.server.heard;
            EXPECT_EQ(talk.server.body, talk.content);
        }
    Conversation talk;
    talk.last_message = true;
    talk.content = ".dots\r\n";
    talk.content_flags = queue::content_flag::dots;
    talk.run(hello(pipelining) + envelope + cases[0].end);
    EXPECT_EQ(talk.summary(), cases[0].summary) << talk.server.heard;
}

TEST(Conversation, Outcomes)
{
    const struct {
        const char* what;
        Script script;
        const char* summary;
        const char* reason; // of the first trouble
    } cases[] = {
        {"greeting refused",
         {{"", "554 5.7.1 go away\r\n"}},
         "greeting:4.7.1",
         "host mx.y.example[192.0.2.1] refused to talk to me: 554 5.7.1 go away"},
        {"greeting cut",
         {{"", "220-mx\r\n"}},
         "greeting:4.4.2",
         "lost connection with mx.y.example[192.0.2.1] while receiving the initial server greeting"},
        {"ehlo 421",
         {{"", "220 mx\r\n"}, {"EHLO me.example", "421 busy\r\n"}},
         "greeting:4.0.0",
         "host mx.y.example[192.0.2.1] refused to talk to me: 421 busy"},
        {"ourselves",
         {{"", "220 x\r\n"}, {"EHLO me.example", "250 me.example\r\n"}},
         "greeting:5.4.6",
         "mail for y.example loops back to myself"},
        {"helo after ehlo",
         {{"", "220 mx\r\n"},
          {"EHLO me.example", "502 what\r\n"},
          {"HELO me.example", "250 mx\r\n"},
          {"MAIL FROM:<>", "250 ok\r\n"},
          {"RCPT TO:<x@y.example>", "250 ok\r\n"},
          {"RCPT TO:<z@y.example>", "250 ok\r\n"},
          {"DATA", "354 go\r\n"},
          {"<body>", "250 ok\r\n"}},
         "0:ok 1:ok reusable",
         ""},
        {"mail refused", hello(kPlain) + Script{{"MAIL FROM:<>", "452 4.3.1 full\r\n"}}, "rest:4.3.1 reusable",
         "host mx.y.example[192.0.2.1] said: 452 4.3.1 full (in reply to MAIL FROM command)"},
        {"one recipient refused",
         hello(kPlain) + Script{{"MAIL FROM:<>", "250 ok\r\n"},
                                {"RCPT TO:<x@y.example>", "550-5.1.1 no such\r\n550 5.1.1 user\r\n"},
                                {"RCPT TO:<z@y.example>", "250 ok\r\n"},
                                {"DATA", "354 go\r\n"},
                                {"<body>", "250 ok\r\n"}},
         "0:5.1.1 1:ok reusable",
         "host mx.y.example[192.0.2.1] said: 550-5.1.1 no such 550 5.1.1 user (in reply to RCPT TO command)"},
        {"all refused, no DATA without pipelining",
         hello(kPlain) + Script{{"MAIL FROM:<>", "250 ok\r\n"},
                                {"RCPT TO:<x@y.example>", "550 no\r\n"},
                                {"RCPT TO:<z@y.example>", "552 too many\r\n"}},
         "0:5.0.0 1:5.0.0 reset reusable", "host mx.y.example[192.0.2.1] said: 550 no (in reply to RCPT TO command)"},
        {"all refused, DATA was on its way",
         hello("250-mx\r\n250 PIPELINING\r\n") +
             Script{{"MAIL FROM:<>", ""},
                    {"RCPT...", ""},
                    {"RCPT...", ""},
                    {"DATA", "250 ok\r\n450 later\r\n450 later\r\n503 no recipients\r\n"}},
         "0:4.0.0 1:4.0.0 reset reusable",
         "host mx.y.example[192.0.2.1] said: 450 later (in reply to RCPT TO command)"},
        {"all refused, DATA open all the same",
         hello("250-mx\r\n250 PIPELINING\r\n") + Script{{"MAIL FROM:<>", ""},
                                                        {"RCPT...", ""},
                                                        {"RCPT...", ""},
                                                        {"DATA", "250 ok\r\n450 later\r\n450 later\r\n354 go\r\n"},
                                                        {"<body>", "554 no recipients\r\n"}},
         "0:4.0.0 1:4.0.0 reusable", "host mx.y.example[192.0.2.1] said: 450 later (in reply to RCPT TO command)"},
        {"data refused",
         hello(kPlain) + Script{{"MAIL FROM:<>", "250 ok\r\n"},
                                {"RCPT...", "250 ok\r\n"},
                                {"RCPT...", "250 ok\r\n"},
                                {"DATA", "451 4.3.0 no\r\n"}},
         "rest:4.3.0 reset reusable", "host mx.y.example[192.0.2.1] said: 451 4.3.0 no (in reply to DATA command)"},
        {"message refused",
         hello(kPlain) + Script{{"MAIL FROM:<>", "250 ok\r\n"},
                                {"RCPT...", "250 ok\r\n"},
                                {"RCPT...", "250 ok\r\n"},
                                {"DATA", "354 go\r\n"},
                                {"<body>", "554 5.6.0 spam\r\n"}},
         "rest:5.6.0 reusable", "host mx.y.example[192.0.2.1] said: 554 5.6.0 spam (in reply to end of DATA command)"},
        {"odd code", hello(kPlain) + Script{{"MAIL FROM:<>", "354 what\r\n"}}, "rest:5.5.0 reusable",
         "host mx.y.example[192.0.2.1] said: 354 what (in reply to MAIL FROM command)"},
        {"lost at DATA",
         hello(kPlain) +
             Script{{"MAIL FROM:<>", "250 ok\r\n"}, {"RCPT...", "250 ok\r\n"}, {"RCPT...", "250 ok\r\n"}, {"DATA", ""}},
         "rest:4.4.2 throttle used up", "lost connection with mx.y.example[192.0.2.1] while sending DATA command"},
        {"lost after the dot",
         hello(kPlain) + Script{{"MAIL FROM:<>", "250 ok\r\n"},
                                {"RCPT...", "250 ok\r\n"},
                                {"RCPT...", "250 ok\r\n"},
                                {"DATA", "354 go\r\n"},
                                {"<body>", ""}},
         "rest:4.4.2 throttle used up",
         "lost connection with mx.y.example[192.0.2.1] while sending end of data -- message may be sent more than "
         "once"},
        {"slow", hello(kPlain) + Script{{"MAIL FROM:<>", ""}, {"never", ""}}, "rest:4.4.2 throttle used up",
         "conversation with mx.y.example[192.0.2.1] timed out while sending MAIL FROM"},
        {"too big", hello("250-mx\r\n250 SIZE 10\r\n"), "rest:5.3.4 reusable",
         "message size 18 exceeds size limit 10 of server mx.y.example[192.0.2.1]"},
    };
    for (const auto& each : cases) {
        Conversation talk;
        talk.run(each.script);
        EXPECT_EQ(talk.summary(), each.summary) << each.what;
        std::string reason;
        if (!talk.greeted)
            reason = talk.greeted.error().reason;
        else if (!talk.result.outcomes.empty() && talk.result.outcomes[0].trouble)
            reason = talk.result.outcomes[0].trouble->reason;
        else if (talk.result.rest)
            reason = talk.result.rest->reason;
        EXPECT_EQ(reason, each.reason) << each.what;
    }
}

// Whatever step the server dies at, every recipient has an outcome, and none is counted as delivered before the dot.
TEST(Conversation, ServerDiesAtEveryStep)
{
    const Script whole = hello(kPlain) + Script{{"MAIL FROM:<>", "250 ok\r\n"},
                                                {"RCPT TO:<x@y.example>", "250 ok\r\n"},
                                                {"RCPT TO:<z@y.example>", "250 ok\r\n"},
                                                {"DATA", "354 go\r\n"},
                                                {"<body>", "250 ok\r\n"}};
    for (std::size_t steps = 0; steps < whole.size(); ++steps) {
        Conversation talk;
        talk.run(Script(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(steps)));
        if (!talk.greeted) {
            EXPECT_EQ(talk.greeted.error().status, "4.4.2");
            continue;
        }
        EXPECT_EQ(talk.summary(), "rest:4.4.2 throttle used up") << steps;
    }
}

TEST(Conversation, ReusedSessionThatIsDeadIsStale)
{
    Conversation talk;
    talk.reused = true;
    talk.run(hello(kPlain));
    EXPECT_EQ(talk.summary(), "stale used up");
    talk = {};
    talk.reused = true;
    talk.run(hello(kPlain) + Script{{"MAIL FROM:<>", "421 idle too long\r\n"}});
    EXPECT_EQ(talk.summary(), "stale used up");
    talk = {};
    talk.reused = true;
    talk.run(hello(kPlain) + Script{{"MAIL FROM:<>", "250 ok\r\n"}});
    EXPECT_EQ(talk.summary(), "rest:4.4.2 throttle used up");
}

TEST(Conversation, LmtpAnswersForEachRecipient)
{
    const Script start{{"", "220 mx LMTP\r\n"}, {"LHLO me.example", "250-mx\r\n250 PIPELINING\r\n"},
                       {"MAIL FROM:<>", ""},    {"RCPT...", ""},
                       {"RCPT...", ""},         {"DATA", "250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n"}};
    Conversation talk;
    talk.settings = quick_settings(Protocol::lmtp);
    talk.run(start + Script{{"<body>", "250 2.0.0 saved\r\n452 4.2.2 full\r\n"}});
    EXPECT_EQ(talk.summary(), "0:ok 1:4.2.2 reusable");
    talk = {};
    talk.settings = quick_settings(Protocol::lmtp);
    talk.run(start + Script{{"<body>", "250 2.0.0 saved\r\n"}});
    EXPECT_EQ(talk.summary(), "0:ok rest:4.4.2 throttle used up");
}

TEST(Conversation, ContentFormsOnTheWire)
{
    const std::string plain = std::string(70'000, 'p') + "\r\n";
    const struct {
        std::string content;
        std::uint32_t flags;
        std::string body;
    } cases[] = {
        {"a\r\n.b\r\n..\r\n", queue::content_flag::dots, "a\r\n..b\r\n...\r\n"},
        {"no end", 0, "no end\r\n"},
        {"", 0, ""},
        {plain, 0, plain},
        {std::string(1100, 'x') + "\r\n", queue::content_flag::long_lines,
         std::string(998, 'x') + "\r\n " + std::string(102, 'x') + "\r\n"},
        {std::string(998, 'x') + "\r\n", queue::content_flag::long_lines, std::string(998, 'x') + "\r\n"},
        {std::string(998 + 997 + 1, 'x') + "\r\n", queue::content_flag::long_lines,
         std::string(998, 'x') + "\r\n " + std::string(997, 'x') + "\r\n x\r\n"},
    };
    for (const auto& each : cases) {
        Conversation talk;
        talk.recipients.pop_back();
        talk.content = each.content;
        talk.content_flags = each.flags;
        talk.run(hello("250-mx\r\n250 8BITMIME\r\n") + Script{{"MAIL FROM:<>", "250 ok\r\n"},
                                                              {"RCPT...", "250 ok\r\n"},
                                                              {"DATA", "354 go\r\n"},
                                                              {"<body>", "250 ok\r\n"}});
        EXPECT_EQ(talk.summary(), "0:ok reusable");
        EXPECT_EQ(talk.server.body, each.body);
    }
}

TEST(Conversation, EightBitBecomesQuotedPrintable)
{
    Conversation talk;
    talk.recipients.pop_back();
    talk.envelope.set_encoding("8bit");
    talk.content =
        "Mime-Version: 1.0\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: 8bit\r\n\r\ncaf\xc3\xa9\r\n";
    talk.content_flags = queue::content_flag::eight_bit;
    talk.run(hello("250-mx\r\n250 SIZE\r\n") + Script{{"MAIL FROM:<>", "250 ok\r\n"},
                                                      {"RCPT...", "250 ok\r\n"},
                                                      {"DATA", "354 go\r\n"},
                                                      {"<body>", "250 ok\r\n"}});
    EXPECT_EQ(talk.summary(), "0:ok reusable");
    EXPECT_NE(talk.server.body.find("caf=C3=A9\r\n"), std::string::npos) << talk.server.body;
    EXPECT_NE(talk.server.body.find("quoted-printable"), std::string::npos) << talk.server.body;
}

TEST(Conversation, VerificationStopsBeforeData)
{
    Conversation talk;
    talk.verify_only = true;
    talk.run(hello(kPlain) + Script{{"MAIL FROM:<>", "250 ok\r\n"},
                                    {"RCPT...", "250 2.1.5 fine\r\n"},
                                    {"RCPT...", "550 5.1.1 no\r\n"},
                                    {"QUIT", ""}});
    EXPECT_EQ(talk.summary(), "0:ok 1:5.1.1 reset reusable");
    EXPECT_FALSE(talk.server.surprised) << talk.server.heard;
}

TEST(Conversation, Smtputf8)
{
    Conversation talk;
    talk.recipients = {recipient("\xc3\xa9@y.example")};
    talk.envelope.set_smtputf8(ipc::smtputf8::requested | ipc::smtputf8::recipient);
    talk.run(hello(kPlain));
    EXPECT_EQ(talk.result.rest->reason, "SMTPUTF8 is required, but was not offered by host mx.y.example[192.0.2.1]");
    EXPECT_EQ(talk.result.rest->status, "5.6.7");
    talk.server = {};
    talk.run(hello(kPipelined) + Script{{"MAIL FROM:<> SIZE=18 SMTPUTF8", ""},
                                        {"RCPT TO:<\xc3\xa9@y.example> ORCPT=utf-8;\xc3\xa9@y.example", ""},
                                        {"DATA", "250 ok\r\n250 ok\r\n354 go\r\n"},
                                        {"<body>", "250 ok\r\n"}});
    EXPECT_EQ(talk.summary(), "0:ok reusable") << talk.server.heard;
}

TEST(Conversation, DsnAndXforward)
{
    Conversation talk;
    talk.settings.send_xforward = true;
    talk.envelope.set_sender("a b@c.example");
    talk.envelope.set_encoding("8bit");
    talk.envelope.set_dsn_envid("e=1");
    talk.envelope.set_dsn_ret(ipc::ret::headers);
    talk.envelope.mutable_origin()->set_client_name("c.example");
    talk.envelope.mutable_origin()->set_client_address("192.0.2.9");
    talk.envelope.mutable_origin()->set_helo_name("unknown");
    talk.recipients = {recipient("x@y.example")};
    talk.recipients[0].set_dsn_orcpt("rfc822;o+p@y.example");
    talk.recipients[0].set_dsn_notify(ipc::notify::success | ipc::notify::delay);
    talk.run(hello("250-mx\r\n250-DSN\r\n250-8BITMIME\r\n250 XFORWARD NAME ADDR PROTO HELO SOURCE\r\n") +
             Script{{"XFORWARD NAME=c.example ADDR=192.0.2.9", "250 ok\r\n"},
                    {"XFORWARD SOURCE=REMOTE", "501 no\r\n"},
                    {"MAIL FROM:<\"a b\"@c.example> BODY=8BITMIME ENVID=e+3D1 RET=HDRS", "250 ok\r\n"},
                    {"RCPT TO:<x@y.example> ORCPT=rfc822;o+2Bp@y.example NOTIFY=SUCCESS,DELAY", "250 ok\r\n"},
                    {"DATA", "354 go\r\n"},
                    {"<body>", "250 ok\r\n"}});
    EXPECT_EQ(talk.summary(), "0:ok reusable") << talk.server.heard;
}

TEST(Conversation, ManyRecipientsInGroups)
{
    Conversation talk;
    talk.recipients.clear();
    Script script = hello("250-mx\r\n250 PIPELINING\r\n");
    script.push_back({"MAIL FROM:<>", "250 ok\r\n"});
    for (int i = 0; i < 2000; ++i) {
        talk.recipients.push_back(recipient(fmt::format("user{}@a-rather-long-domain-name.example", i)));
        script.push_back({"RCPT...", "250 2.1.5 a reply of some length, as they are met in the wild\r\n"});
    }
    script.push_back({"DATA", "354 go\r\n"});
    script.push_back({"<body>", "250 ok\r\n"});
    talk.run(script);
    EXPECT_EQ(talk.result.outcomes.size(), 2000U);
    EXPECT_TRUE(talk.result.reusable);
}

SessionPtr session_over(event::Loop& loop, int fd)
{
    return std::make_unique<Session>(std::make_unique<net::Stream>(loop, UniqueFd(fd)), Peer{"h", "192.0.2.1", 25},
                                     false);
}

event::Task<void> pause(event::Loop& loop, int wait)
{
    co_await loop.sleep(milliseconds(wait));
}

TEST(SessionCache, KeepsDropsAndExpires)
{
    event::Loop loop;
    SessionCache cache(loop, {.idle = milliseconds(300), .lifetime = milliseconds(60'000), .uses = 3});
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    UniqueFd far(ends[1]);
    cache.put("k", session_over(loop, ends[0]));
    EXPECT_FALSE(cache.take("other"));
    SessionPtr session = cache.take("k");
    ASSERT_TRUE(session);
    EXPECT_TRUE(session->reused);
    EXPECT_EQ(cache.size(), 0U);

    session->uses = 2;
    cache.put("k", std::move(session));
    loop.run_until_done(pause(loop, 1000));
    EXPECT_EQ(cache.size(), 0U) << "idle sessions end by themselves";
    char bytes[16];
    ASSERT_EQ(::read(far.get(), bytes, sizeof bytes), 6);
    EXPECT_EQ(std::string_view(bytes, 6), "QUIT\r\n");

    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    far.reset(ends[1]);
    session = session_over(loop, ends[0]);
    session->uses = 3;
    cache.put("k", std::move(session));
    EXPECT_EQ(cache.size(), 0U) << "used often enough";

    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    far.reset(ends[1]);
    cache.put("k", session_over(loop, ends[0]));
    ASSERT_EQ(::write(far.get(), "421 bye\r\n", 9), 9);
    loop.run_until_done(pause(loop, 20));
    EXPECT_FALSE(cache.take("k")) << "the server spoke: it is about to close";
}

} // namespace
} // namespace facteur::smtp_client
