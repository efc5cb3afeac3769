create table takings as
select store_id, count(*) as orders, sum(total) as sales
from orders
group by store_id
order by store_id;

alter table takings add primary key (store_id);

-- A busy store: each sale adds to its row, in a transaction of its own.
create procedure sell(store int, times int) language plpgsql as $$
begin
    set synchronous_commit = off;  -- not at the pace of the disk
    for sale in 1..times loop
        update takings set orders = orders + 1, sales = sales + 1 where store_id = store;
        commit;
    end loop;
    reset synchronous_commit;
end
$$;
