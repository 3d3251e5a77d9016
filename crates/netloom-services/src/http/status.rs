//! Status codes, and the refusal of a message.

use core::fmt;

/// A status code (RFC 9110 §15): three digits, 100 to 999.
///
/// The codes the RFCs define are constants, and can stand in patterns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Status(u16);

/// What a code is about (RFC 9110 §15): its first digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// 1xx: the final response is still to come.
    Informational,
    /// 2xx.
    Success,
    /// 3xx: somebody has to do more for it.
    Redirection,
    /// 4xx: the request cannot be served.
    ClientError,
    /// 5xx: the server failed.
    ServerError,
    /// A first digit nobody has defined: to be treated as 5xx (RFC 9110 §15).
    Other,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal $reason:literal,)*) => {
        impl Status {
            $($(#[$doc])* pub const $name: Status = Status($code);)*

            /// The reason phrase the RFC gives; empty for a code that is none of the constants.
            #[must_use]
            pub const fn reason(self) -> &'static str {
                match self.0 {
                    $($code => $reason,)*
                    _ => "",
                }
            }
        }
    };
}

codes! {
    /// 100
    CONTINUE = 100 "Continue",
    /// 101
    SWITCHING_PROTOCOLS = 101 "Switching Protocols",
    /// 103 (RFC 8297)
    EARLY_HINTS = 103 "Early Hints",
    /// 200
    OK = 200 "OK",
    /// 201
    CREATED = 201 "Created",
    /// 202
    ACCEPTED = 202 "Accepted",
    /// 203
    NON_AUTHORITATIVE_INFORMATION = 203 "Non-Authoritative Information",
    /// 204: never any content.
    NO_CONTENT = 204 "No Content",
    /// 205: never any content either, but a length of 0 is sent.
    RESET_CONTENT = 205 "Reset Content",
    /// 206
    PARTIAL_CONTENT = 206 "Partial Content",
    /// 300
    MULTIPLE_CHOICES = 300 "Multiple Choices",
    /// 301
    MOVED_PERMANENTLY = 301 "Moved Permanently",
    /// 302
    FOUND = 302 "Found",
    /// 303: to be fetched with GET.
    SEE_OTHER = 303 "See Other",
    /// 304: never any content.
    NOT_MODIFIED = 304 "Not Modified",
    /// 307: to be asked with the same method.
    TEMPORARY_REDIRECT = 307 "Temporary Redirect",
    /// 308: to be asked with the same method.
    PERMANENT_REDIRECT = 308 "Permanent Redirect",
    /// 400
    BAD_REQUEST = 400 "Bad Request",
    /// 401
    UNAUTHORIZED = 401 "Unauthorized",
    /// 402
    PAYMENT_REQUIRED = 402 "Payment Required",
    /// 403
    FORBIDDEN = 403 "Forbidden",
    /// 404
    NOT_FOUND = 404 "Not Found",
    /// 405
    METHOD_NOT_ALLOWED = 405 "Method Not Allowed",
    /// 406
    NOT_ACCEPTABLE = 406 "Not Acceptable",
    /// 407
    PROXY_AUTHENTICATION_REQUIRED = 407 "Proxy Authentication Required",
    /// 408
    REQUEST_TIMEOUT = 408 "Request Timeout",
    /// 409
    CONFLICT = 409 "Conflict",
    /// 410
    GONE = 410 "Gone",
    /// 411
    LENGTH_REQUIRED = 411 "Length Required",
    /// 412
    PRECONDITION_FAILED = 412 "Precondition Failed",
    /// 413
    CONTENT_TOO_LARGE = 413 "Content Too Large",
    /// 414
    URI_TOO_LONG = 414 "URI Too Long",
    /// 415
    UNSUPPORTED_MEDIA_TYPE = 415 "Unsupported Media Type",
    /// 416
    RANGE_NOT_SATISFIABLE = 416 "Range Not Satisfiable",
    /// 417
    EXPECTATION_FAILED = 417 "Expectation Failed",
    /// 421
    MISDIRECTED_REQUEST = 421 "Misdirected Request",
    /// 422
    UNPROCESSABLE_CONTENT = 422 "Unprocessable Content",
    /// 426
    UPGRADE_REQUIRED = 426 "Upgrade Required",
    /// 428 (RFC 6585 §3)
    PRECONDITION_REQUIRED = 428 "Precondition Required",
    /// 429 (RFC 6585 §4)
    TOO_MANY_REQUESTS = 429 "Too Many Requests",
    /// 431 (RFC 6585 §5)
    REQUEST_HEADER_FIELDS_TOO_LARGE = 431 "Request Header Fields Too Large",
    /// 500
    INTERNAL_SERVER_ERROR = 500 "Internal Server Error",
    /// 501
    NOT_IMPLEMENTED = 501 "Not Implemented",
    /// 502
    BAD_GATEWAY = 502 "Bad Gateway",
    /// 503
    SERVICE_UNAVAILABLE = 503 "Service Unavailable",
    /// 504
    GATEWAY_TIMEOUT = 504 "Gateway Timeout",
    /// 505
    HTTP_VERSION_NOT_SUPPORTED = 505 "HTTP Version Not Supported",
    /// 507 (RFC 4918 §11.5)
    INSUFFICIENT_STORAGE = 507 "Insufficient Storage",
}

impl Status {
    /// The status of a code; `None` outside 100 to 999.
    #[must_use]
    pub const fn new(code: u16) -> Option<Status> {
        match code {
            100..=999 => Some(Status(code)),
            _ => None,
        }
    }

    /// The three digits.
    #[must_use]
    pub const fn code(self) -> u16 {
        self.0
    }

    /// What the code is about.
    #[must_use]
    pub const fn class(self) -> Class {
        match self.0 {
            100..=199 => Class::Informational,
            200..=299 => Class::Success,
            300..=399 => Class::Redirection,
            400..=499 => Class::ClientError,
            500..=599 => Class::ServerError,
            _ => Class::Other,
        }
    }

    /// Whether a response with this code never has content, whatever its fields say (RFC 9112
    /// §6.3, rule 1).
    #[must_use]
    pub const fn is_without_content(self) -> bool {
        matches!(self.0, 100..=199 | 204 | 304)
    }
}

impl fmt::Display for Status {
    /// Code and reason: `404 Not Found`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason() {
            "" => write!(f, "{}", self.0),
            reason => write!(f, "{} {reason}", self.0),
        }
    }
}

/// Why a message is not served: the status to send and a sentence for whoever sent it.
///
/// For a response that a client cannot read, the status says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// What to answer.
    pub status: Status,
    /// Goes into the response as it stands: holds nothing the other side sent.
    pub why: &'static str,
}

impl Refusal {
    /// A refusal with this status and sentence.
    #[must_use]
    pub const fn new(status: Status, why: &'static str) -> Self {
        Self { status, why }
    }

    /// A message outside the grammar (400): after it nobody knows where the next one begins.
    #[must_use]
    pub const fn bad(why: &'static str) -> Self {
        Self::new(Status::BAD_REQUEST, why)
    }

    /// More content than is taken (413).
    pub(super) const fn too_large() -> Self {
        Self::new(Status::CONTENT_TOO_LARGE, "the body is too large")
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status, self.why)
    }
}

impl core::error::Error for Refusal {}
