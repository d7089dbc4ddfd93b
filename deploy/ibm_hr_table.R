# Writes the IBM HR table as it was published, from the R package modeldata (Debian: r-cran-modeldata).
# The package keeps the same 1,470 rows, tidied: the id is the row's name, constant columns are left out, ordinal
# numbers are labelled factors, and spaces in texts are underscores. Each step here undoes one of these.
# usage: Rscript ibm_hr_table.R FILE.csv      Called by `make data`, which compares the result's SHA-256.
table <- local({ data("attrition", package = "modeldata", envir = environment()); get("attrition") })

published <- strsplit(paste(
  "Age Attrition BusinessTravel DailyRate Department DistanceFromHome Education EducationField EmployeeCount",
  "EmployeeNumber EnvironmentSatisfaction Gender HourlyRate JobInvolvement JobLevel JobRole JobSatisfaction",
  "MaritalStatus MonthlyIncome MonthlyRate NumCompaniesWorked Over18 OverTime PercentSalaryHike PerformanceRating",
  "RelationshipSatisfaction StandardHours StockOptionLevel TotalWorkingYears TrainingTimesLastYear WorkLifeBalance",
  "YearsAtCompany YearsInCurrentRole YearsSinceLastPromotion YearsWithCurrManager"), " ")[[1]]

column <- function(name) {
  if (name == "EmployeeNumber") return(rownames(table))
  if (name == "EmployeeCount") return(rep("1", nrow(table)))
  if (name == "Over18") return(rep("Y", nrow(table)))
  if (name == "StandardHours") return(rep("80", nrow(table)))
  values <- table[[name]]
  if (is.ordered(values)) return(as.character(as.integer(values)))
  values <- as.character(values)
  if (name == "BusinessTravel") return(values)
  sub("Research Development", "Research & Development", gsub("_", " ", values), fixed = TRUE)
}

cells <- vapply(published, column, character(nrow(table)))
lines <- c(paste(published, collapse = ","), apply(cells, 1, paste, collapse = ","))
out <- file(commandArgs(trailingOnly = TRUE)[1], "wb")
writeBin(c(as.raw(c(0xEF, 0xBB, 0xBF)), charToRaw(paste0(lines, "\r\n", collapse = ""))), out)
close(out)
