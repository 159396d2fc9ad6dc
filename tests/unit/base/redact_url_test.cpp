// SPDX-License-Identifier: Apache-2.0
#include <polypool/secret.hpp>

#include <gtest/gtest.h>

#include <string>

namespace polypool {
namespace {

struct redaction {
  const char* url;
  const char* expected;
};

TEST(RedactUrl, KeepsEverythingButThePassword) {
  const redaction cases[] = {
      {"postgres://app:hunter2@db:5432/app", "postgres://app:***@db:5432/app"},
      {"postgres://app@db/app", "postgres://app@db/app"},
      {"postgres://db:5432/app?sslmode=require", "postgres://db:5432/app?sslmode=require"},
      {"redis://:hunter2@cache:6379/0", "redis://:***@cache:6379/0"},
      {"mongodb://u:hunter2@a:1,b:2/db?authSource=admin", "mongodb://u:***@a:1,b:2/db?authSource=admin"},
      {"mongodb://a:1,b:2/db", "mongodb://a:1,b:2/db"},
      {"postgres://[::1]:5432/app", "postgres://[::1]:5432/app"},
      {"postgres://[::1]/app", "postgres://[::1]/app"},
      {"postgres://db/app?user=me&password=hunter2&sslmode=require",
       "postgres://db/app?user=me&password=***&sslmode=require"},
      {"host=db password=hunter2 dbname=app", "host=db password=*** dbname=app"},
      {"host=db password = 'hunter2 \\' hunter2' dbname=app", "host=db password = *** dbname=app"},
      {"Server=db;UID=sa;PWD=hunter2;Encrypt=yes", "Server=db;UID=sa;PWD=***;Encrypt=yes"},
      {"odbc:Driver={A;B};PWD={hun;ter2};X=1", "odbc:Driver={A;B};PWD=***;X=1"},
      {"sqlite:data/app.db", "sqlite:data/app.db"},
      {"sqlite::memory:", "sqlite::memory:"},
      {"", ""},
  };
  for (const auto& one : cases) EXPECT_EQ(redact_url(one.url), one.expected) << one.url;
}

TEST(RedactUrl, NeverShowsThePassword) {
  for (const char* url : {
           "postgres://app:hunter2@db",
           "postgres://app:p@hunter2@db",
           "postgres://app:p/hunter2@db/app",
           "postgres://app:p?hunter2@db/app",
           "postgres://app:p#hunter2@db/app",
           "postgres://app:hunter2",
           "postgres://app:hunter2/app",
           "postgres://db/app?PASSWORD=hunter2",
           "postgres://db/app?p%61ssword=hunter2",
           "postgres://db/app?sslpassword=hunter2",
           "host=db password='hunter2",
           "host=db password='a b hunter2",
           "host=db password=a\\ hunter2",
           "host='a b' PassWord=hunter2",
           "Server=db;Password=hunter2",
           "Server=db;Pwd={a}};hunter2};X=1",
           "Server=db;Pwd={hunter2",
           "redis://:hunter2@cache",
           "redis://a:b:hunter2@cache",
           "mongodb://h/?authMechanismProperties=AWS_SESSION_TOKEN:hunter2",
       }) {
    EXPECT_EQ(redact_url(url).find("hunter2"), std::string::npos) << redact_url(url);
  }
}

TEST(RedactUrl, IsStable) {
  for (const char* url :
       {"postgres://a:b@c/d", "password=x", "a;PWD=b;c", "host=a password='b c' d=e", "redis://:x@y?token=z"}) {
    const auto once = redact_url(url);
    EXPECT_EQ(redact_url(once), once);
  }
}

}  // namespace
}  // namespace polypool
