-- Every person as the contract tells them, one JSON document on each line. Not made from the manifest: the tables are
-- reached by subqueries, dates are put together from their digits; a day that never was is none.
create function pg_temp.day(legacy integer) returns text language sql as $$
  select case
    when legacy / 10000 = 0 or legacy / 100 % 100 > 12 then null
    when legacy % 10000 = 0 then lpad((legacy / 10000)::text, 4, '0')
    when legacy % 100 = 0 then to_char(make_date(legacy / 10000, legacy / 100 % 100, 1), 'YYYY-MM')
    when legacy % 100 > extract(day from make_date(legacy / 10000, legacy / 100 % 100, 1) + interval '1 month' - interval '1 day') then null
    else to_char(make_date(legacy / 10000, legacy / 100 % 100, legacy % 100), 'YYYY-MM-DD')
  end
$$;
create function pg_temp.country(code smallint) returns text language sql as
  $$ select land_naam from lo3_land where land_code = code $$;
create function pg_temp.town(code integer) returns text language sql as
  $$ select gemeente_naam from lo3_gemeente where gemeente_code = code $$;
create function pg_temp.place(place text) returns text language sql as $$
  select case when place ~ '^[0-9]{4}$' then coalesce(pg_temp.town(place::integer), place) else place end
$$;
create function pg_temp.some(words text) returns text language sql as $$ select nullif(trim(words), '') $$;

with own as (
  select * from lo3_pl_persoon where persoon_type = 'P' and stapel_nr = 0 and volg_nr = 0
)
select jsonb_build_object(
  'a_number', lpad(own.a_nr::text, 10, '0'),
  'bsn', lpad(own.burger_service_nr::text, 9, '0'),
  'name', jsonb_build_object(
    'given', coalesce(own.diak_voor_naam, own.voor_naam),
    'prefix', pg_temp.some(own.geslachts_naam_voorvoegsel),
    'family', coalesce(own.diak_geslachts_naam, own.geslachts_naam),
    'family_plain', own.geslachts_naam,
    'title', (select titel_predicaat_oms from lo3_titel_predicaat where titel_predicaat = own.titel_predicaat)),
  'sex', case own.geslachts_aand when 'M' then 'male' when 'V' then 'female' when 'O' then 'unknown' end,
  'birth', jsonb_build_object(
    'date', pg_temp.day(own.geboorte_datum),
    'date_recorded', lpad(own.geboorte_datum::text, 8, '0'),
    'place', pg_temp.place(own.geboorte_plaats),
    'country', pg_temp.country(own.geboorte_land_code)),
  'death', (
    select jsonb_build_object(
      'date', pg_temp.day(overlijden_datum),
      'place', pg_temp.place(overlijden_plaats),
      'country', pg_temp.country(overlijden_land_code))
    from lo3_pl_overlijden where pl_id = own.pl_id and volg_nr = 0),
  'nationalities', coalesce((
    select jsonb_agg(jsonb_build_object(
      'name', (select nationaliteit_oms from lo3_nationaliteit known where known.nationaliteit_code = held.nationaliteit_code),
      'since', pg_temp.day(held.geldigheid_start_datum)) order by held.stapel_nr)
    from lo3_pl_nationaliteit held
    where held.pl_id = own.pl_id and held.volg_nr = 0
      and held.nationaliteit_code is not null and held.nl_nat_verlies_reden is null), '[]'),
  'residence', (
    select jsonb_build_object(
      'kind', case place.adres_functie when 'W' then 'residence' when 'B' then 'correspondence' end,
      'municipality', pg_temp.town(place.inschrijving_gemeente_code),
      'municipality_code', lpad(place.inschrijving_gemeente_code::text, 4, '0'),
      'since', pg_temp.day(place.adreshouding_start_datum),
      'street', (select pg_temp.some(straat_naam) from lo3_adres where adres_id = place.adres_id),
      'house_number', (select huis_nr from lo3_adres where adres_id = place.adres_id),
      'house_letter', (select pg_temp.some(huis_letter) from lo3_adres where adres_id = place.adres_id),
      'house_addition', (select pg_temp.some(huis_nr_toevoeging) from lo3_adres where adres_id = place.adres_id),
      'postcode', (select pg_temp.some(postcode) from lo3_adres where adres_id = place.adres_id),
      'town', (select pg_temp.some(woon_plaats_naam) from lo3_adres where adres_id = place.adres_id),
      'abroad', jsonb_build_object(
        'country', pg_temp.country(place.vertrek_land_code),
        'since', pg_temp.day(place.vertrek_datum),
        'line1', pg_temp.some(place.vertrek_land_adres_1),
        'line2', pg_temp.some(place.vertrek_land_adres_2),
        'line3', pg_temp.some(place.vertrek_land_adres_3)))
    from lo3_pl_verblijfplaats place where place.pl_id = own.pl_id and place.volg_nr = 0),
  'registration', (
    select jsonb_build_object(
      'suspended', case bijhouding_opschort_reden when 'O' then 'deceased' when 'E' then 'emigrated'
        when 'M' then 'ministerial_decree' when 'R' then 'non_resident' when 'F' then 'in_error'
        when 'W' then 'moved_within_kingdom' end,
      'suspended_since', pg_temp.day(bijhouding_opschort_datum))
    from lo3_pl where pl_id = own.pl_id))
from own;
