-- The same dimensions, split until each name stands in one row only. A category belongs
-- to its department: where two departments use one word, it names two categories, with
-- two keys.
create schema snow;

create table snow.department as
select row_number() over (order by department) as department_key, department,
from (select distinct department from dim_product);

create table snow.product_category as
select
    row_number() over (order by department_key, product_category) as category_key,
    department_key,
    product_category,
from (select distinct department, product_category from dim_product)
join snow.department using (department);

create table snow.product_type as
select
    row_number() over (order by category_key, product_type) as type_key,
    category_key,
    product_type,
from (select distinct department, product_category, product_type from dim_product)
join snow.department using (department)
join snow.product_category using (department_key, product_category);

create table snow.product as
select product_id, type_key, manufacturer_id, brand, package_size, is_listed, is_fuel,
from dim_product
join snow.department using (department)
join snow.product_category using (department_key, product_category)
join snow.product_type using (category_key, product_type)
order by product_id;

create table snow.month as
select distinct month, year, month_of_year, from dim_date order by month;

create table snow.date as
select date_day, month, week, day_of_week, is_weekend, from dim_date order by date_day;
