-- Daily prices as the package has them, with typed columns and lower-case names.
-- Variable: stocks_csv (path of a gzipped CSV).

create table stocks as
select
    "Ticker" as ticker,
    "Date" as date,
    "Open" as open,
    "High" as high,
    "Low" as low,
    "Close" as close,
    "Volume" as volume,
    "Adj Close" as adjusted_close,
from read_csv(
    getvariable('stocks_csv'),
    header = true,
    columns = {
        'Ticker': 'varchar', 'Date': 'date', 'Open': 'double', 'High': 'double', 'Low': 'double',
        'Close': 'double', 'Volume': 'bigint', 'Adj Close': 'double'
    }
)
order by ticker, date;
