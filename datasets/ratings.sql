-- Texts with the published mean rating beside the single ratings that people gave.
-- The two files of each set share an id; one of them starts with a byte order mark.
-- Variables: tweets_texts, tweets_ratings and the same for amazon_reviews and movie_reviews.

create macro texts(file) as table
select id, mean_rating, text,
from read_csv(
    file, delim = '\t', header = false, quote = '', escape = '',
    columns = {'id': 'varchar', 'mean_rating': 'double', 'text': 'varchar'}
);

create macro ratings(file) as table
select ltrim(id, chr(65279)) as id, ratings::tinyint[] as ratings,
from read_csv(
    file, delim = '\t', header = false, quote = '', escape = '',
    columns = {'id': 'varchar', 'mean': 'double', 'deviation': 'double', 'ratings': 'varchar'}
);

create table tweets as
select id, text, mean_rating, ratings,
from texts(getvariable('tweets_texts'))
join ratings(getvariable('tweets_ratings')) using (id)
order by id;

create table amazon_reviews as
select id, text, mean_rating, ratings,
from texts(getvariable('amazon_reviews_texts'))
join ratings(getvariable('amazon_reviews_ratings')) using (id)
order by id;

create table movie_reviews as
select id, text, mean_rating, ratings,
from texts(getvariable('movie_reviews_texts'))
join ratings(getvariable('movie_reviews_ratings')) using (id)
order by id;
