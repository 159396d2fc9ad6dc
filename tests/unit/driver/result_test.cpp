// SPDX-License-Identifier: Apache-2.0
#include "support/caught.hpp"

#include <polypool/result.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace polypool {
namespace {

using testing::HasSubstr;

class numbers final : public row_block {
 public:
  std::size_t rows() const noexcept override { return 2; }
  field at(std::size_t row, std::size_t column) const noexcept override {
    return column == 0 ? field::integer(static_cast<std::int64_t>(row)) : field::text(data_type::text, "x");
  }
};

result sample() {
  std::vector<column> columns{{"id", data_type::integer}, {"name", data_type::text}};
  return {std::make_shared<column_list>(std::move(columns)), std::make_shared<numbers>(), 2, 7};
}

using test::caught;

TEST(result, gives_rows_and_counts) {
  const result rows = sample();
  EXPECT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows.affected_rows(), 2U);
  EXPECT_EQ(rows.last_insert_id(), 7);
  std::int64_t expected = 0;
  for (const row each : rows) EXPECT_EQ(each.get<std::int64_t>("id"), expected++);
  EXPECT_EQ(expected, 2);
  EXPECT_EQ(rows.front().get<std::string_view>(1), "x");
}

TEST(result, is_empty_without_rows) {
  const result none;
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(none.columns().size(), 0U);
  EXPECT_EQ(none.begin(), none.end());
  const auto problem = caught([&] { none.front(); });
  EXPECT_EQ(problem.portable_code(), errc::row_count);
  EXPECT_THAT(problem.what(), HasSubstr("0 rows"));
}

TEST(result, names_the_columns_there_are) {
  const result rows = sample();
  const auto by_name = caught([&] { rows.front()["nmae"]; });
  EXPECT_EQ(by_name.portable_code(), errc::column_not_found);
  EXPECT_THAT(by_name.what(), testing::AllOf(HasSubstr("'nmae'"), HasSubstr("id, name")));
  const auto by_number = caught([&] { rows.front()[2]; });
  EXPECT_EQ(by_number.portable_code(), errc::column_not_found);
  EXPECT_THAT(by_number.what(), HasSubstr("2 columns"));
  EXPECT_EQ(caught([&] { rows[2]; }).portable_code(), errc::row_count);
}

TEST(result, names_the_column_that_could_not_be_read) {
  const result rows = sample();
  const auto problem = caught([&] { rows.front().get<int>("name"); });
  EXPECT_EQ(problem.portable_code(), errc::type_mismatch);
  EXPECT_THAT(problem.what(), testing::StartsWith("column 'name': "));
}

TEST(result, survives_its_copies) {
  const result copy = [] {
    const result original = sample();
    return original;
  }();
  EXPECT_EQ(copy[1].get<int>(0), 1);
}

}  // namespace
}  // namespace polypool
