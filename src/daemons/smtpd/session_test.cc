// Sessions replayed against services that live in the test: what the client sends, what it is told, what is submitted.
#include "base/log.h"
#include "base/text.h"
#include "daemons/smtpd/services.h"
#include "daemons/smtpd/session.h"
#include "ipc/flags.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

namespace facteur::smtpd {
namespace {

namespace flag = ipc::resolve_flag;

class LogLines final : public log::Sink {
public:
    explicit LogLines(std::vector<std::string>& lines) : lines_(lines) {}
    void write(log::Severity, std::string_view, std::string_view text) override { lines_.emplace_back(text); }

private:
    std::vector<std::string>& lines_;
};

class FakeServices final : public Services {
public:
    std::vector<ipc::SubmitRequest> requests;
    std::string content;
    int chunks = 0;
    int aborts = 0;
    ipc::SubmitReply answer;
    bool cleanup_gone = false;
    bool rewrite_gone = false;
    std::optional<ipc::AnvilReply> counts;
    int disconnects = 0;
    std::vector<std::string> announced;

    event::Task<std::expected<std::string, ipc::IpcError>> rewrite(std::string, std::string address) override
    {
        if (rewrite_gone)
            co_return std::unexpected(ipc::IpcError::unreachable);
        if (address.find('@') == address.npos)
            address += "@mx.test.example";
        co_return std::move(address);
    }

    event::Task<std::expected<ipc::ResolveReply, ipc::IpcError>> resolve(std::string, std::string address) override
    {
        if (rewrite_gone)
            co_return std::unexpected(ipc::IpcError::unreachable);
        const std::string domain = address.substr(address.rfind('@') + 1);
        ipc::ResolveReply reply;
        reply.set_recipient(address);
        reply.set_transport(domain == "va.example" ? "error" : "smtp");
        reply.set_nexthop(domain == "va.example" ? "5.1.1 User unknown in virtual alias table" : domain);
        reply.set_flags(domain == "mx.test.example"  ? flag::local
                        : domain == "relay.example"  ? flag::relay
                        : domain == "va.example"     ? flag::virtual_alias
                        : domain == "vm.example"     ? flag::virtual_mailbox
                        : domain.starts_with("[999") ? flag::error
                                                     : flag::other);
        co_return std::move(reply);
    }

    void will_resolve(std::string sender, std::string address) override { announced.push_back(sender + " " + address); }

    event::Task<std::expected<ipc::SubmitReply, ipc::IpcError>> submit(const ipc::SubmitRequest& request,
                                                                       Content bytes) override
    {
        if (cleanup_gone)
            co_return std::unexpected(ipc::IpcError::unreachable);
        requests.push_back(request);
        content = bytes ? *bytes : std::string();
        auto reply = answer;
        co_return std::move(reply);
    }

    event::Task<std::expected<ipc::SubmitReply, ipc::IpcError>> submit_chunk(const ipc::SubmitChunk& chunk,
                                                                             Content bytes) override
    {
        ++chunks;
        aborts += chunk.abort();
        if (bytes)
            content += *bytes;
        auto reply = answer;
        co_return std::move(reply);
    }

    event::Task<ipc::FlushReply::Status> flush_site(std::string) override { co_return ipc::FlushReply::OK; }
    event::Task<std::optional<ipc::AnvilReply>> count(ipc::AnvilRequest::Operation, std::string) override
    {
        co_return counts;
    }
    event::Task<void> disconnected(std::string) override
    {
        ++disconnects;
        co_return;
    }
    event::Task<Client> identify(net::SocketAddress) override { co_return Client{}; }
};

struct Step {
    std::string send;
    std::string expect; // what must have come when the next step is sent
};

constexpr std::string_view kBase =
    "myhostname = mx.test.example\nmydestination = $myhostname\nmynetworks = 127.0.0.0/8\n"
    "smtpd_banner = $myhostname ESMTP\ncompatibility_level = 3.6\nsmtpd_error_sleep_time = 0\n"
    "inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\nalias_maps =\nlocal_recipient_maps =\n"
    "smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination\n";

struct SessionTest : testing::Test {
    event::Loop loop;
    event::WorkerPool pool{loop, 1};
    FakeServices services;
    std::vector<std::string> log_lines;
    std::string address = "127.0.0.1";

    void SetUp() override { log::set_sink(std::make_unique<LogLines>(log_lines)); }
    void TearDown() override { log::set_sink(std::make_unique<LogLines>(trash_)); }

    // Plays the steps; what the server said against what it should have said, step by step.
    void play(std::string_view settings, std::vector<Step> steps)
    {
        auto config = config::Config::from_text(std::string(kBase) + std::string(settings));
        ASSERT_TRUE(config) << config.error().message();
        auto context = Context::open(*config, loop, pool);
        ASSERT_TRUE(context) << context.error();
        (*context)->services = &services;
        (*context)->service_name = "smtp";
        int ends[2];
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
        Client client;
        client.name = client.reverse_name = "localhost";
        client.name_status = NameStatus::ok;
        client.address = address;
        auto session =
            std::make_unique<Session>(**context, std::make_unique<net::Stream>(loop, UniqueFd(ends[0])), client);
        auto peer = std::make_unique<net::Stream>(loop, UniqueFd(ends[1]));
        loop.run_until_done(both(std::move(session), std::move(peer), std::move(steps)));
    }

    bool logged(std::string_view text) const
    {
        return std::any_of(log_lines.begin(), log_lines.end(), [&](const std::string& line) { return line == text; });
    }

private:
    static event::Task<void> serve(Session& session, event::Condition& done, bool& ended)
    {
        co_await session.run();
        ended = true;
        done.notify_all();
    }

    event::Task<void> both(std::unique_ptr<Session> session, std::unique_ptr<net::Stream> peer, std::vector<Step> steps)
    {
        event::Condition done(loop);
        bool ended = false;
        event::spawn(serve(*session, done, ended));
        for (const Step& step : steps) {
            peer->queue(step.send);
            [[maybe_unused]] const auto sent = co_await peer->flush(event::milliseconds(5000));
            while (peer->buffered().size() < step.expect.size()) {
                const auto more = co_await peer->fill(event::milliseconds(3000));
                if (!more)
                    break;
            }
            EXPECT_EQ(peer->buffered(), step.expect) << "after " << step.send.substr(0, 200);
            peer->consume(peer->buffered().size());
        }
        peer.reset();
        while (!ended)
            co_await done.wait();
    }

    std::vector<std::string> trash_;
};

const Step kGreeting{"", "220 mx.test.example ESMTP\r\n"};
const Step kHelo{"HELO me\r\n", "250 mx.test.example\r\n"};
const Step kMail{"MAIL FROM:<a@b.example>\r\n", "250 2.1.0 Ok\r\n"};
const Step kRcpt{"RCPT TO:<x@y.example>\r\n", "250 2.1.5 Ok\r\n"};
const Step kData{"DATA\r\n", "354 End data with <CR><LF>.<CR><LF>\r\n"};
const Step kQuit{"QUIT\r\n", "221 2.0.0 Bye\r\n"};
const std::string kEhloReply =
    "250-mx.test.example\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250-VRFY\r\n250-ETRN\r\n250-ENHANCEDSTATUSCODES\r\n"
    "250-8BITMIME\r\n250-DSN\r\n250-SMTPUTF8\r\n250 CHUNKING\r\n";
const Step kEhlo{"EHLO me\r\n", kEhloReply};

TEST_F(SessionTest, AcceptsAMessageInAPipelinedBatch)
{
    services.answer.set_queue_id("ABCDEF123");
    play("",
         {kGreeting,
          kEhlo,
          {"MAIL FROM:<a@b.example> RET=HDRS ENVID=e\r\nRCPT TO:<x@y.example> NOTIFY=NEVER\r\nRCPT TO:<>\r\nDATA\r\n",
           "250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n501 5.1.3 Bad recipient address syntax\r\n354 End data with "
           "<CR><LF>.<CR><LF>\r\n"},
          {"Subject: t\r\n\r\n..hi\r\n.\r\n", "250 2.0.0 Ok: queued as ABCDEF123\r\n"},
          kQuit});
    ASSERT_EQ(services.requests.size(), 1u);
    const auto& request = services.requests[0];
    EXPECT_EQ(services.content, "Subject: t\r\n\r\n.hi\r\n");
    EXPECT_TRUE(request.last());
    EXPECT_EQ(request.envelope().sender(), "a@b.example");
    EXPECT_EQ(request.envelope().dsn_envid(), "e");
    EXPECT_EQ(request.envelope().dsn_ret(), ipc::ret::headers);
    ASSERT_EQ(request.envelope().recipients_size(), 1);
    EXPECT_EQ(request.envelope().recipients(0).dsn_notify(), ipc::notify::never);
    EXPECT_EQ(request.envelope().origin().client_name(), "localhost");
    EXPECT_EQ(request.envelope().rewrite_context(), "local");
    EXPECT_TRUE(request.prepend().starts_with(
        "Received: from me (localhost [127.0.0.1])\r\n\tby mx.test.example (Facteur) with ESMTP id " +
        request.queue_id() + "\r\n\tfor <x@y.example>; "))
        << request.prepend();
    EXPECT_TRUE(logged("connect from localhost[127.0.0.1]"));
    EXPECT_TRUE(logged(request.queue_id() + ": client=localhost[127.0.0.1]"));
    EXPECT_TRUE(logged("disconnect from localhost[127.0.0.1] ehlo=1 mail=1 rcpt=1/2 data=1 quit=1 commands=5/6"));
}

TEST_F(SessionTest, AsksAboutPipelinedRecipientsAtOnce)
{
    std::string batch = "RCPT TO:<u0@y.example>\r\nRCPT TO:<u1@y.example>\r\nrcpt to:<u2@z.example> NOTIFY=NEVER\r\n"
                        "RCPT TO:<>\r\nRCPT TO:<u3@y.example>\r\nRSET\r\nRCPT TO:<u4@y.example>\r\n";
    play("", {kGreeting,
              kEhlo,
              {"MAIL FROM:<a@b.example>\r\n", "250 2.1.0 Ok\r\n"},
              {batch, "250 2.1.5 Ok\r\n250 2.1.5 Ok\r\n250 2.1.5 Ok\r\n501 5.1.3 Bad recipient address syntax\r\n"
                      "250 2.1.5 Ok\r\n250 2.0.0 Ok\r\n503 5.5.1 Error: need MAIL command\r\n"},
              kQuit});
    // The first is asked about by itself, and each of the others once.
    EXPECT_EQ(services.announced, (std::vector<std::string>{"a@b.example u1@y.example", "a@b.example u2@z.example",
                                                            "a@b.example u3@y.example"}));
}

TEST_F(SessionTest, PassesCleanupsVerdictOn)
{
    struct Case {
        ipc::SubmitStatus status;
        const char* reason;
        const char* reply;
    };
    const Case cases[] = {
        {ipc::SUBMIT_WRITE, "", "451 4.3.0 Error: queue file write error\r\n"},
        {ipc::SUBMIT_SIZE, "", "552 5.3.4 Error: message file too big\r\n"},
        {ipc::SUBMIT_HOPS, "too many hops", "554 5.4.0 Error: too many hops\r\n"},
        {ipc::SUBMIT_CONTENT, "550 5.7.1 no ads", "550 5.7.1 no ads\r\n"},
        {ipc::SUBMIT_CONTENT, "no ads", "550 5.7.1 no ads\r\n"},
    };
    for (const Case& c : cases) {
        services.answer.set_status(c.status);
        services.answer.set_reason(c.reason);
        play("", {kGreeting, kHelo, kMail, kRcpt, kData, {"x\r\n.\r\n", c.reply}, kMail});
    }
    services.cleanup_gone = true;
    play("", {kGreeting, kHelo, kMail, kRcpt, kData, {"x\r\n.\r\n", "451 4.3.0 Error: queue file write error\r\n"}});
}

TEST_F(SessionTest, RelaysOnlyForFriends)
{
    address = "192.0.2.1";
    play("relay_recipient_maps = inline:{ok@relay.example=x}\nvirtual_mailbox_maps = inline:{u@vm.example=u/}\n"
         "virtual_mailbox_domains = vm.example\nrelay_domains = relay.example\nlocal_recipient_maps = inline:{joe=x}\n",
         {kGreeting,
          kHelo,
          kMail,
          {"RCPT TO:<x@y.example>\r\n", "554 5.7.1 <x@y.example>: Relay access denied\r\n"},
          {"DATA\r\n", "554 5.5.1 Error: no valid recipients\r\n"},
          {"RCPT TO:<no@relay.example>\r\n",
           "550 5.1.1 <no@relay.example>: Recipient address rejected: User unknown in relay recipient table\r\n"},
          {"RCPT TO:<ok@relay.example>\r\n", "250 2.1.5 Ok\r\n"},
          {"RCPT TO:<no@mx.test.example>\r\n",
           "550 5.1.1 <no@mx.test.example>: Recipient address rejected: User unknown in local recipient table\r\n"},
          {"RCPT TO:<joe@mx.test.example>\r\n", "250 2.1.5 Ok\r\n"},
          {"RCPT TO:<postmaster>\r\n", "250 2.1.5 Ok\r\n"},
          {"RCPT TO:<no@vm.example>\r\n",
           "550 5.1.1 <no@vm.example>: Recipient address rejected: User unknown in virtual mailbox table\r\n"},
          {"RCPT TO:<no@va.example>\r\n",
           "550 5.1.1 <no@va.example>: Recipient address rejected: User unknown in virtual alias table\r\n"},
          kQuit});
    EXPECT_TRUE(logged("NOQUEUE: reject: RCPT from localhost[192.0.2.1]: 554 5.7.1 <x@y.example>: Relay access denied; "
                       "from=<a@b.example> to=<x@y.example> proto=SMTP helo=<me>"));
}

TEST_F(SessionTest, DefersWhenNobodyCanTell)
{
    address = "192.0.2.1";
    services.rewrite_gone = true;
    play("", {kGreeting,
              kHelo,
              kMail,
              {"RCPT TO:<x@y.example>\r\n", "451 4.3.0 <x@y.example>: Temporary lookup failure\r\n"}});
}

TEST_F(SessionTest, AccessTables)
{
    const std::string table =
        "check_recipient_access inline:{{r@t.example=REJECT} {rt@t.example=REJECT 5.7.9 go away} {d@t.example=DEFER} "
        "{dip@t.example=DEFER_IF_PERMIT later} {ok@t.example=OK} {c5@t.example=521 5.7.1 bye} {cls@t.example=myclass} "
        "{bad@t.example=FROB} {hold@t.example=HOLD} {pre@t.example=PREPEND X-A: b} {bcc@t.example=BCC c@d.example}}";
    services.answer.set_queue_id("Q");
    play("smtpd_recipient_restrictions = " + table +
             ", permit_mynetworks, reject\nsmtpd_restriction_classes = myclass\n" +
             "myclass = warn_if_reject reject, reject_unauth_destination\n",
         {kGreeting,
          kHelo,
          kMail,
          {"RCPT TO:<r@t.example>\r\n", "554 5.7.1 <r@t.example>: Recipient address rejected: Access denied\r\n"},
          {"RCPT TO:<rt@t.example>\r\n", "554 5.7.9 <rt@t.example>: Recipient address rejected: go away\r\n"},
          {"RCPT TO:<d@t.example>\r\n", "450 4.7.1 <d@t.example>: Recipient address rejected: Access denied\r\n"},
          {"RCPT TO:<dip@t.example>\r\n", "450 4.7.1 <dip@t.example>: Recipient address rejected: later\r\n"},
          {"RCPT TO:<cls@t.example>\r\n", "554 5.7.1 <cls@t.example>: Relay access denied\r\n"},
          {"RCPT TO:<bad@t.example>\r\n", "451 4.3.5 Server configuration error\r\n"},
          {"RCPT TO:<ok@t.example>\r\n", "250 2.1.5 Ok\r\n"},
          {"RCPT TO:<hold@t.example>\r\n", "250 2.1.5 Ok\r\n"},
          {"RCPT TO:<pre@t.example>\r\n", "250 2.1.5 Ok\r\n"},
          {"RCPT TO:<bcc@t.example>\r\n", "250 2.1.5 Ok\r\n"},
          kData,
          {".\r\n", "250 2.0.0 Ok: queued as Q\r\n"}});
    ASSERT_EQ(services.requests.size(), 1u);
    EXPECT_NE(services.requests[0].flags() & ipc::submit_flag::hold, 0u);
    EXPECT_TRUE(services.requests[0].prepend().starts_with("X-A: b\r\nReceived: from me"));
    EXPECT_EQ(services.requests[0].envelope().recipients(4).address(), "c@d.example");
}

TEST_F(SessionTest, ErrorsAndJunkEndTheSession)
{
    const Step bad{"FOO\r\n", "500 5.5.2 Error: command not recognized\r\n"};
    play("smtpd_hard_error_limit = 2\n",
         {kGreeting,
          bad,
          {"FOO\r\n",
           "500 5.5.2 Error: command not recognized\r\n421 4.7.0 mx.test.example Error: too many errors\r\n"}});
    EXPECT_TRUE(logged("too many errors after UNKNOWN from localhost[127.0.0.1]"));
    play("", {kGreeting, {"GET / HTTP/1.0\r\n", "221 2.7.0 Error: I can break rules, too. Goodbye.\r\n"}});
    play("", {kGreeting, {"EHLO me\r\nNOOP\r\n", "554 5.5.0 Error: SMTP protocol synchronization\r\n"}});
}

TEST_F(SessionTest, LostClients)
{
    play("", {kGreeting, kHelo, kMail, kRcpt, kData, {"abc\r\ndef", ""}});
    EXPECT_TRUE(logged("lost connection after DATA (8 bytes) from localhost[127.0.0.1]"));
    EXPECT_TRUE(services.requests.empty());
    play("smtpd_timeout = 1\n",
         {kGreeting, kHelo, {"", ""}, {"", "421 4.4.2 mx.test.example Error: timeout exceeded\r\n"}});
    EXPECT_TRUE(logged("timeout after HELO from localhost[127.0.0.1]"));
}

TEST_F(SessionTest, LargeMessagesGoInParts)
{
    std::string body;
    for (int i = 0; i < 10'000; ++i)
        body += std::string(70, 'x') + "\r\n";
    services.answer.set_queue_id("Q");
    play("", {kGreeting, kHelo, kMail, kRcpt, kData, {body + ".\r\n", "250 2.0.0 Ok: queued as Q\r\n"}});
    ASSERT_EQ(services.requests.size(), 1u);
    EXPECT_FALSE(services.requests[0].last());
    EXPECT_GE(services.chunks, 2);
    EXPECT_EQ(services.content, body);

    services.chunks = 0;
    services.answer.set_enhanced_status("2.0.0");
    services.answer.set_reason("Success");
    play("message_size_limit = 300000\n",
         {kGreeting, kHelo, kMail, kRcpt, kData, {body + ".\r\n", "552 5.3.4 Error: message file too big\r\n"}});
    EXPECT_EQ(services.aborts, 1);
}

TEST_F(SessionTest, Chunking)
{
    services.answer.set_queue_id("Q");
    play("", {kGreeting,
              kEhlo,
              kMail,
              kRcpt,
              {"BDAT 14\r\nSubject: t\r\n\r\n", "250 2.0.0 Ok: 14 bytes\r\n"},
              {"RCPT TO:<z@y.example>\r\n", "503 5.5.1 Error: RCPT after BDAT\r\n"},
              {"BDAT 4\r\n.\na\nBDAT 2 LAST\r\nbc", "250 2.0.0 Ok: 4 bytes\r\n250 2.0.0 Ok: queued as Q\r\n"},
              {"BDAT x\r\n", "521 5.5.4 Syntax: BDAT count [LAST]\r\n"}});
    EXPECT_EQ(services.content, "Subject: t\r\n\r\n.\r\na\r\nbc\r\n");
}

TEST(Session, IsSmallWhileIdle)
{
    EXPECT_LT(sizeof(Session), 4096u);
}

TEST_F(SessionTest, FirstLineThatIsNoHeader)
{
    services.answer.set_queue_id("Q");
    play("", {kGreeting, kHelo, kMail, kRcpt, kData, {">From x\r\n  a\r\n.\r\n", "250 2.0.0 Ok: queued as Q\r\n"}});
    EXPECT_EQ(services.content, "X-Mailbox-Line: >From x\r\n\r\n  a\r\n");
}

TEST_F(SessionTest, BareNewlines)
{
    address = "192.0.2.1";
    services.answer.set_queue_id("Q");
    const std::string open = "smtpd_relay_restrictions = permit\n";
    const Step smuggle{"a\n.\nMAIL FROM:<evil@x>\r\n.\r\n", "250 2.0.0 Ok: queued as Q\r\n"};
    play(open, {kGreeting, kHelo, kMail, kRcpt, kData, smuggle, kQuit});
    EXPECT_EQ(services.content, "a\r\n\r\nMAIL FROM:<evil@x>\r\n");
    play(open + "smtpd_forbid_bare_newline = reject\n",
         {kGreeting,
          kHelo,
          kMail,
          kRcpt,
          kData,
          {"a\nb\r\n.\r\n", "550 5.5.2 mx.test.example Error: bare <LF> received\r\n"},
          kQuit});
}

TEST_F(SessionTest, AnvilLimits)
{
    address = "192.0.2.1";
    services.counts.emplace();
    services.counts->set_connections(3);
    play("smtpd_client_connection_count_limit = 2\n",
         {{"", "421 4.7.0 mx.test.example Error: too many connections from 192.0.2.1\r\n"}});
    EXPECT_TRUE(logged("warning: Connection concurrency limit exceeded: 3 from localhost[192.0.2.1] for service smtp"));
    EXPECT_EQ(services.disconnects, 1);
    address = "127.0.0.1"; // mynetworks are excepted
    play("smtpd_client_connection_count_limit = 2\n", {kGreeting});
    EXPECT_EQ(services.disconnects, 1);
}

TEST_F(SessionTest, FooterAndForwardedClient)
{
    play("smtpd_reject_footer = \\c. See https://h.example/ ($client_address)\\nBye\nsmtpd_authorized_xforward_hosts = "
         "127.0.0.1\n",
         {kGreeting,
          {"FOO\r\n",
           "500-5.5.2 Error: command not recognized. See https://h.example/ (127.0.0.1)\r\n500 5.5.2 Bye\r\n"},
          {"XFORWARD NAME=n.example ADDR=192.0.2.9 IDENT=UP\r\n", "250 2.0.0 Ok\r\n"},
          kMail,
          kRcpt});
    EXPECT_TRUE(std::any_of(log_lines.begin(), log_lines.end(), [](const std::string& line) {
        return line.ends_with(": client=localhost[127.0.0.1], orig_queue_id=UP, orig_client=n.example[192.0.2.9]");
    }));
}

} // namespace
} // namespace facteur::smtpd
