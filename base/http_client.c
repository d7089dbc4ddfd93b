/* The only file that knows libcurl: see http_client.h. Called by the clients of tracking servers and schema registries,
 * on any thread, each with a client of its own. It must never print or report a credential, nor wait without a limit.
 */
#include "base/http_client.h"

#include <ctype.h>
#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "base/memory.h"
#include "base/text_print.h"

enum { CONNECT_MS = 5000, TOTAL_MS = 30000, PAUSE_FIRST_MS = 250, PAUSE_MOST_MS = 5000 };
static const size_t body_most = (size_t)16 << 20;

static const char *const method_names[] = {
    [HTTP_GET] = "GET", [HTTP_POST] = "POST", [HTTP_PUT] = "PUT", [HTTP_PATCH] = "PATCH", [HTTP_DELETE] = "DELETE"};

struct http_client {
    CURL *curl;
    struct http_settings settings; /* numbers, the callback and secrets; its other texts are NULL */
    char *user, *password;         /* of the address; NULL: none */
    char *url;                     /* no slash at the end, no credentials */
    char *accept_header;
    char reason[CURL_ERROR_SIZE];
};

/* Where an answer's body goes. */
struct answer {
    struct buffer *body;
    size_t most;
    bool too_long;
};

static bool curl_ready;

static void init_curl(void)
{
    curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

static size_t take_body(char *data, size_t size, size_t count, void *context)
{
    struct answer *answer = context;
    size_t bytes = size * count;
    if (bytes > answer->most - answer->body->bytes) {
        answer->too_long = true;
        return 0;
    }
    buffer_add(answer->body, data, bytes);
    return bytes;
}

static int ask_cancelled(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct http_client *client = context;
    (void)a, (void)b, (void)c, (void)d;
    return client->settings.cancelled && client->settings.cancelled(client->settings.context);
}

static bool has_control(const char *text)
{
    for (; text && *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7F)
            return true;
    return false;
}

static size_t line_bytes(const char *text)
{
    return text ? strcspn(text, "\n") : 0;
}

static enum status check_credentials(const struct http_settings *settings, struct error *err)
{
    const char *username = secret_text(settings->username), *token = secret_text(settings->token);
    for (size_t i = 0; i < line_bytes(token); i++)
        if ((unsigned char)token[i] < 0x20 || token[i] == 0x7F)
            return error_set(err, STATUS_INVALID, "a token holds control characters");
    if (has_control(username) || has_control(secret_text(settings->password)))
        return error_set(err, STATUS_INVALID, "a credential holds control characters, such as a line break");
    if (username && strchr(username, ':'))
        return error_set(err, STATUS_INVALID, "a user's name must not hold a colon");
    return STATUS_OK;
}

static enum status check_settings(const struct http_settings *settings, struct error *err)
{
    const char *url = settings->base_url;
    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
        return error_set(err, STATUS_INVALID, "not an http(s) address: give http://HOST:PORT or https://HOST:PORT");
    if (has_control(url) || strchr(url, ' '))
        return error_set(err, STATUS_INVALID, "the address holds blanks or control characters");
    if (strpbrk(url, "?#"))
        return error_set(err, STATUS_INVALID, "the address must end with its path: no ? and no #");
    return check_credentials(settings, err);
}

static char *url_part(CURLU *url, CURLUPart part, unsigned flags)
{
    char *text = NULL;
    if (curl_url_get(url, part, &text, flags) != CURLUE_OK)
        return NULL;
    char *copy = mem_text(text);
    curl_free(text);
    return copy;
}

/* Takes user and password out of the URL. */
static enum status split_url(struct http_client *client, const char *text, struct error *err)
{
    CURLU *url = curl_url();
    if (!url)
        abort();
    CURLUcode code = curl_url_set(url, CURLUPART_URL, text, 0);
    if (code == CURLUE_OK) {
        client->user = url_part(url, CURLUPART_USER, CURLU_URLDECODE);
        client->password = url_part(url, CURLUPART_PASSWORD, CURLU_URLDECODE);
        (void)curl_url_set(url, CURLUPART_USER, NULL, 0);
        (void)curl_url_set(url, CURLUPART_PASSWORD, NULL, 0);
        client->url = url_part(url, CURLUPART_URL, 0);
    }
    curl_url_cleanup(url);
    if (!client->url)
        return error_set(err, STATUS_INVALID, "not an http(s) address: %s", curl_url_strerror(code));
    size_t bytes = strlen(client->url);
    while (bytes && client->url[bytes - 1] == '/')
        client->url[--bytes] = '\0';
    return STATUS_OK;
}

static void set_token(CURL *curl, const char *token)
{
    char *line = mem_text_n(token, line_bytes(token));
    curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
    curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, line); /* copied */
    explicit_bzero(line, strlen(line));
    free(line);
}

/* At each request, since they may have changed. */
static void set_credentials(struct http_client *client)
{
    CURL *curl = client->curl;
    const char *token = secret_text(client->settings.token), *username = secret_text(client->settings.username);
    if (token && *token) {
        set_token(curl, token);
        return;
    }
    bool given = username && *username;
    if (!given && !client->user)
        return;
    curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
    curl_easy_setopt(curl, CURLOPT_USERNAME, given ? username : client->user);
    const char *secret = given ? secret_text(client->settings.password) : client->password;
    curl_easy_setopt(curl, CURLOPT_PASSWORD, secret ? secret : "");
}

static enum status set_trust(CURL *curl, const struct http_settings *settings, struct error *err)
{
    struct stat found;
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, settings->insecure_tls ? 0L : 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, settings->insecure_tls ? 0L : 2L);
    if (!settings->ca_file || !*settings->ca_file)
        return STATUS_OK;
    if (stat(settings->ca_file, &found) != 0)
        return error_set(err, STATUS_NOT_FOUND, "CA file %.200s: there is no such file that can be read",
                         settings->ca_file);
    curl_easy_setopt(curl, S_ISDIR(found.st_mode) ? CURLOPT_CAPATH : CURLOPT_CAINFO, settings->ca_file);
    return STATUS_OK;
}

static void set_rest(struct http_client *client)
{
    CURL *curl = client->curl;
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->reason);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)client->settings.connect_timeout_ms);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, ask_cancelled);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, client);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "attrition-scorer/" VERSION);
}

static struct secret keep_secret(struct secret from)
{
    return (struct secret){.text = from.text && !from.file ? mem_text(from.text) : NULL, .file = from.file};
}

static void clear_secret(struct secret *kept)
{
    if (kept->text)
        explicit_bzero((char *)kept->text, strlen(kept->text));
    free((char *)kept->text);
}

/* The numbers with their defaults, and secrets; other texts are not kept. */
static struct http_settings keep_settings(const struct http_settings *from)
{
    return (struct http_settings){
        .connect_timeout_ms = from->connect_timeout_ms ? from->connect_timeout_ms : CONNECT_MS,
        .timeout_ms = from->timeout_ms ? from->timeout_ms : TOTAL_MS,
        .max_body_bytes = from->max_body_bytes ? from->max_body_bytes : body_most,
        .attempts = from->attempts ? from->attempts : 1,
        .cancelled = from->cancelled,
        .context = from->context,
        .username = keep_secret(from->username),
        .password = keep_secret(from->password),
        .token = keep_secret(from->token),
    };
}

enum status http_client_new(const struct http_settings *settings, struct http_client **out, struct error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_curl);
    if (!curl_ready)
        return error_set(err, STATUS_UNAVAILABLE, "libcurl cannot be started: check its installation");
    if (check_settings(settings, err) != STATUS_OK)
        return err->status;
    struct http_client *client = mem_zeroed(1, sizeof *client);
    client->settings = keep_settings(settings);
    client->curl = curl_easy_init();
    if (!client->curl)
        abort(); /* only when there is no memory */
    enum status status = split_url(client, settings->base_url, err);
    if (status == STATUS_OK)
        status = set_trust(client->curl, settings, err);
    if (status == STATUS_OK) {
        set_rest(client);
        client->accept_header = text_print("Accept: %s", settings->accept ? settings->accept : "application/json");
        *out = client;
    } else {
        http_client_free(client);
    }
    return status;
}

void http_client_free(struct http_client *client)
{
    if (!client)
        return;
    curl_easy_cleanup(client->curl);
    clear_secret(&client->settings.username);
    clear_secret(&client->settings.password);
    clear_secret(&client->settings.token);
    free(client->user);
    free(client->password);
    free(client->url);
    free(client->accept_header);
    free(client);
}

const char *http_client_url(const struct http_client *client)
{
    return client->url;
}

void http_response_clear(struct http_response *response)
{
    buffer_free(&response->body);
    *response = (struct http_response){0};
}

static struct curl_slist *add_header(struct curl_slist *list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(list, line);
    if (!longer)
        abort(); /* only when there is no memory */
    return longer;
}

/* The headers live until the request is done. */
static struct curl_slist *request_headers(const struct http_client *client, const struct http_request *request)
{
    char line[160];
    struct curl_slist *list = add_header(NULL, client->accept_header);
    list = add_header(list, "Expect:"); /* servers that do not know it would cost a second */
    if (!request->body.data)
        return list;
    snprintf(line, sizeof line, "Content-Type: %s", request->content_type ? request->content_type : "application/json");
    return add_header(list, line);
}

static void set_request(struct http_client *client, const struct http_request *request, struct answer *answer)
{
    CURL *curl = client->curl;
    int64_t timeout_ms = request->timeout_ms ? request->timeout_ms : client->settings.timeout_ms;
    struct buffer url = {0};
    buffer_printf(&url, "%s%s", client->url, request->path);
    buffer_add_u8(&url, '\0');
    curl_easy_setopt(curl, CURLOPT_URL, url.data); /* copied */
    buffer_free(&url);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(curl, CURLOPT_MAXFILESIZE_LARGE,
                     (curl_off_t)answer->most); /* refused before a byte of it is read */
    if (request->body.data) {
        curl_easy_setopt(curl, CURLOPT_POST, 1L);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.bytes);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body.data);
    } else {
        curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
    }
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method_names[request->method]);
}

static void http_note_answer(CURL *curl, struct http_response *response)
{
    char *type = NULL;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &response->status);
    curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
    size_t bytes = 0;
    for (; type && type[bytes] && !strchr("; \t", type[bytes]) && bytes < sizeof response->content_type - 1; bytes++)
        response->content_type[bytes] = (char)tolower((unsigned char)type[bytes]);
    response->content_type[bytes] = '\0';
    buffer_add_u8(&response->body, '\0');
    response->body.bytes--;
}

/* OpenSSL's numbers (X509_V_ERR_…), as curl reports them. */
enum { CERTIFICATE_NOT_YET_VALID = 9, CERTIFICATE_EXPIRED = 10 };

static const char *certificate_meaning(const struct http_client *client)
{
    long verified = 0;
    curl_easy_getinfo(client->curl, CURLINFO_SSL_VERIFYRESULT, &verified);
    if (strstr(client->reason, "target host name")) /* curl itself compares the names */
        return "its certificate is for another host; name the server as its certificate does";
    if (verified == CERTIFICATE_EXPIRED)
        return "its certificate has expired; renew it on the server, or correct this host's clock";
    if (verified == CERTIFICATE_NOT_YET_VALID)
        return "its certificate is not valid yet; correct the clock of this host or of the one that made it";
    return "its certificate is signed by nobody this host trusts; give its authority's as the CA file";
}

/* In words with what to do; NULL: curl's own say it. */
static const char *transfer_meaning(const struct http_client *client, CURLcode code)
{
    bool with_tls = strncmp(client->url, "https:", 6) == 0;
    if (code == CURLE_PEER_FAILED_VERIFICATION)
        return certificate_meaning(client);
    if (with_tls && code == CURLE_SSL_CONNECT_ERROR && strstr(client->reason, "wrong version number"))
        return "no TLS is spoken there; write http://, or name its TLS port";
    if (!with_tls && (code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR))
        return "it ends the connection without an answer; if it speaks TLS, write https://";
    return NULL;
}

/* What a failed transfer means; no word about credentials is ever in curl's reasons. */
static enum status transfer_failure(const struct http_client *client, const struct http_request *request, CURLcode code,
                                    const struct answer *answer, struct error *err)
{
    const char *method = method_names[request->method];
    int path_bytes = (int)strcspn(request->path, "?");
    const char *meaning = transfer_meaning(client, code);
    const char *reason = meaning ? meaning : client->reason[0] ? client->reason : curl_easy_strerror(code);
    if (answer->too_long || code == CURLE_FILESIZE_EXCEEDED)
        return error_set(err, STATUS_LIMIT, "%s %.200s%.*s: the answer is longer than %zu bytes", method, client->url,
                         path_bytes, request->path, answer->most);
    enum status status = STATUS_UNAVAILABLE;
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE)
        status = STATUS_DENIED;
    if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_WEIRD_SERVER_REPLY)
        status = STATUS_INVALID;
    return error_set(err, status, "%s %.200s%.*s: %.200s", method, client->url, path_bytes, request->path, reason);
}

static enum status send_once(struct http_client *client, const struct http_request *request,
                             struct http_response *response, struct error *err)
{
    struct answer answer = {.body = &response->body,
                            .most =
                                request->max_body_bytes ? request->max_body_bytes : client->settings.max_body_bytes};
    if (check_credentials(&client->settings, err) != STATUS_OK) /* of a file that was read again */
        return err->status;
    set_credentials(client);
    struct curl_slist *headers = request_headers(client, request);
    buffer_clear(&response->body);
    response->status = 0;
    client->reason[0] = '\0';
    set_request(client, request, &answer);
    curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, headers);
    CURLcode code = curl_easy_perform(client->curl);
    curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(headers);
    if (code != CURLE_OK)
        buffer_free(&response->body); /* what was refused may be large */
    http_note_answer(client->curl, response);
    return code == CURLE_OK ? STATUS_OK : transfer_failure(client, request, code, &answer, err);
}

static bool is_repeatable(const struct http_request *request)
{
    return request->repeatable || request->method == HTTP_GET || request->method == HTTP_PUT ||
           request->method == HTTP_DELETE;
}

static bool is_passing(enum status sent, long status)
{
    return sent == STATUS_UNAVAILABLE ||
           (sent == STATUS_OK && (status == 429 || (status >= 500 && status != 501 && status != 505)));
}

/* Sleeps in small steps, so that a cancelled client ends soon. False: cancelled. */
static bool pause_before(struct http_client *client, unsigned attempt)
{
    curl_off_t asked_s = 0;
    int64_t left_ms = attempt < 6 ? (int64_t)PAUSE_FIRST_MS << (attempt - 1) : PAUSE_MOST_MS;
    curl_easy_getinfo(client->curl, CURLINFO_RETRY_AFTER, &asked_s);
    if (asked_s > 0 && asked_s < PAUSE_MOST_MS && asked_s * 1000 > left_ms)
        left_ms = asked_s * 1000;
    left_ms = left_ms > PAUSE_MOST_MS ? PAUSE_MOST_MS : left_ms;
    for (; left_ms > 0; left_ms -= 50) {
        if (client->settings.cancelled && client->settings.cancelled(client->settings.context))
            return false;
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
    return true;
}

enum status http_client_send(struct http_client *client, const struct http_request *request,
                             struct http_response *response, struct error *err)
{
    for (unsigned attempt = 1;; attempt++) {
        enum status status = send_once(client, request, response, err);
        if (!is_passing(status, response->status) || !is_repeatable(request) || attempt >= client->settings.attempts ||
            !pause_before(client, attempt))
            return status;
    }
}

enum status http_status_of(long status)
{
    if (status >= 200 && status < 300)
        return STATUS_OK;
    if (status >= 300 && status < 400)
        return STATUS_UNSUPPORTED;
    if (status == 401 || status == 403)
        return STATUS_DENIED;
    if (status == 404 || status == 410)
        return STATUS_NOT_FOUND;
    if (status == 409)
        return STATUS_CONFLICT;
    if (status == 413)
        return STATUS_LIMIT;
    return status == 408 || status == 429 || status >= 500 ? STATUS_UNAVAILABLE : STATUS_INVALID;
}

void http_add_encoded(struct buffer *out, const char *text, bool keep_slashes)
{
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        if ((byte < 0x80 && isalnum(byte)) || (byte && strchr("-._~", byte)) || (byte == '/' && keep_slashes))
            buffer_add_u8(out, byte);
        else
            buffer_printf(out, "%%%02X", byte);
    }
}
