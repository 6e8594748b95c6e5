! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> The step in a box: where no bound is met, MINPACK's; else below every truncated one, and often the best in the box.
program test_active
    use, intrinsic :: iso_fortran_env, only: real128
    use kinds, only: wp, eps, not_a_number
    use active, only: find_held, bounded_step, hesitate, count_hits, box_difference
    use lm_parameter, only: lmpar
    use pivoted_qr, only: factor_rows
    use matrices, only: random_matrix, random_vector
    use testing, only: check, check_at_most, check_equal, finish, digits_of
    implicit none (type, external)

    integer, parameter :: most = 5, cases = 400

    call check_held()
    call check_wide_box()
    call check_random_boxes()
    call check_free_columns()
    call check_nan()
    call check_hesitation()
    call check_differences()
    call finish()

contains

    !> Only what stands on a bound and is pushed against it is held, and what is fixed.
    subroutine check_held()
        logical :: held(6)

        call find_held(6, [0.0_wp, 0.0_wp, 1.0_wp, 1.0_wp, 0.5_wp, 2.0_wp], &
                       [0.0_wp, 0.0_wp, 0.0_wp, 0.0_wp, 0.0_wp, 2.0_wp], &
                       [1.0_wp, 1.0_wp, 1.0_wp, 1.0_wp, 1.0_wp, 2.0_wp], &
                       [1.0_wp, -1.0_wp, 1.0_wp, -1.0_wp, 1.0_wp, 0.0_wp], held)
        call check(all(held .eqv. [.true., .false., .false., .true., .false., .true.]), "which are held")
        call find_held(1, [0.0_wp], [0.0_wp], [1.0_wp], [not_a_number], held)
        call check(.not. held(1), "NaN pushes nothing against a bound")
    end subroutine check_held

    !> The step of a factored random problem.
    subroutine step_of(m, n, x, lower, upper, held, delta, par, r, qtf, ipvt, diag, step, trial, reached)
        integer, intent(in) :: m, n
        real(wp), intent(in) :: x(n), lower(n), upper(n)
        logical, intent(in) :: held(n)
        real(wp), intent(in) :: delta
        real(wp), intent(inout) :: par
        real(wp), intent(out) :: r(n, n), qtf(n)
        integer, intent(out) :: ipvt(n)
        real(wp), intent(out) :: diag(n), step(n), trial(n)
        logical, intent(out) :: reached(n)

        real(wp) :: rows(m, n + 1), wa1(n), wa2(n), free_rows(n*(n + 1)), free_r(n*n), s(n*(n + 1))

        rows = random_matrix(m, n + 1)
        call factor_rows(m, n, rows, r, qtf, ipvt, diag, wa1, wa2)
        call bounded_step(n, x, lower, upper, held, r, qtf, ipvt, diag, delta, par, step, trial, reached, free_rows, &
                          free_r, s)
    end subroutine step_of

    !> Where no bound is met, the numbers are those of `lmpar`.
    subroutine check_wide_box()
        integer, parameter :: n = 4
        real(wp) :: r(n, n), qtf(n), diag(n), step(n), trial(n), z(n), s(n, n), wa(n, 3), par, plain, x(n), delta
        integer :: ipvt(n), k
        logical :: reached(n), same

        same = .true.
        do k = 1, 50
            x = random_vector(n)
            delta = 0.1_wp*k
            par = 0.0_wp
            plain = 0.0_wp
            call step_of(9, n, x, spread(-1.0e9_wp, 1, n), spread(1.0e9_wp, 1, n), spread(.false., 1, n), delta, par, &
                         r, qtf, ipvt, diag, step, trial, reached)
            call lmpar(n, r, ipvt, diag, qtf, delta, plain, z, s, wa(:, 1), wa(:, 2), wa(:, 3))
            same = same .and. all(step == -z) .and. all(trial == x + step) .and. par == plain .and. .not. any(reached)
        end do
        call check(same, "in a wide box the step is MINPACK's")
    end subroutine check_wide_box

    !> Value of the damped quadratic at p, less that at 0, in quadruple precision.
    pure function quadratic(n, r, qtf, ipvt, diag, par, p) result(value)
        integer, intent(in) :: n
        real(wp), intent(in) :: r(n, n), qtf(n)
        integer, intent(in) :: ipvt(n)
        real(wp), intent(in) :: diag(n), par
        real(wp), intent(in) :: p(n)
        real(real128) :: value

        real(real128) :: jp(n)
        integer :: j

        jp = 0
        do j = 1, n
            jp(1:j) = jp(1:j) + real(r(1:j, j), real128)*p(ipvt(j))
        end do
        value = sum(jp*(2*qtf + jp)) + par*sum((real(diag, real128)*p)**2)
    end function quadratic

    !> Random boxes around random points: inside, on the bounds it says, down, and a minimum for what is left free; and
    !> against the best of all faces of the box, by brute force.
    subroutine check_random_boxes()
        real(wp) :: r(most, most), qtf(most), diag(most), step(most), trial(most), x(most), lower(most), upper(most)
        real(wp) :: par, delta
        real(real128) :: here, best
        integer :: ipvt(most), n, k, truncated, optimal
        logical :: reached(most), held(most), inside, down, exact

        inside = .true.
        down = .true.
        exact = .true.
        truncated = 0
        optimal = 0
        do k = 1, cases
            n = 2 + mod(k, most - 1)
            x(1:n) = random_vector(n)
            lower(1:n) = x(1:n) - 0.3_wp*abs(random_vector(n))
            upper(1:n) = x(1:n) + 0.3_wp*abs(random_vector(n))
            ! Some start on a bound.
            if (mod(k, 3) == 0) lower(1) = x(1)
            held = .false.
            delta = merge(0.2_wp, 10.0_wp, mod(k, 2) == 0)
            par = 0.0_wp
            call step_of(n + 3, n, x, lower, upper, held, delta, par, r, qtf, ipvt, diag, step, trial, reached)
            inside = inside .and. all(trial(1:n) >= lower(1:n) .and. trial(1:n) <= upper(1:n))
            exact = exact .and. all(.not. reached(1:n) .or. trial(1:n) == lower(1:n) .or. trial(1:n) == upper(1:n))
            here = quadratic(n, r, qtf, ipvt, diag, par, step)
            down = down .and. here < 0
            if (.not. any(reached(1:n))) cycle
            truncated = truncated + 1
            best = best_in_box(n, r, qtf, ipvt, diag, par, x, lower, upper)
            call check(here >= best - 1.0e-12_real128*abs(best), "nothing in the box is below the least of its faces")
            if (here <= best + 1.0e-10_real128*abs(best)) optimal = optimal + 1
        end do
        call check(inside, "every step ends in the box")
        call check(exact, "what reached a bound was assigned it")
        call check(down, "every step leads down")
        call check(truncated > cases/3, "many steps meet bounds: "//digits_of(truncated))
        ! The path is no solver of the quadratic in the box: it does not let go again of what it holds.
        call check(optimal > truncated/2, "more than half of them are the best in the box: "//digits_of(optimal))
    end subroutine check_random_boxes

    !> Least value of the damped quadratic in a box: the least of the minima on all faces that lie in it.
    function best_in_box(n, r, qtf, ipvt, diag, par, x, lower, upper) result(best)
        integer, intent(in) :: n
        real(wp), intent(in) :: r(n, n), qtf(n)
        integer, intent(in) :: ipvt(n)
        real(wp), intent(in) :: diag(n), par, x(n), lower(n), upper(n)
        real(real128) :: best

        integer :: faces(n), face, j, rest
        real(wp) :: p(n)

        best = 0
        do face = 0, 3**n - 1
            rest = face
            do j = 1, n
                faces(j) = mod(rest, 3)
                rest = rest/3
            end do
            p = minimum_on_face(n, r, qtf, ipvt, diag, par, lower - x, upper - x, faces)
            if (any(p < lower - x .or. p > upper - x)) cycle
            best = min(best, quadratic(n, r, qtf, ipvt, diag, par, p))
        end do
    end function best_in_box

    !> Minimum over the entries whose face is 0; face 1 is the lower bound, 2 the upper one. Normal equations.
    function minimum_on_face(n, r, qtf, ipvt, diag, par, low, high, faces) result(p)
        integer, intent(in) :: n
        real(wp), intent(in) :: r(n, n), qtf(n)
        integer, intent(in) :: ipvt(n)
        real(wp), intent(in) :: diag(n), par, low(n), high(n)
        integer, intent(in) :: faces(n)
        real(wp) :: p(n)

        real(real128) :: a(n, n), b(n), j_p(n, n), factor
        integer :: i, j

        j_p = 0
        do j = 1, n
            j_p(1:j, ipvt(j)) = r(1:j, j)
        end do
        a = matmul(transpose(j_p), j_p)
        do j = 1, n
            a(j, j) = a(j, j) + par*real(diag(j), real128)**2
        end do
        b = -matmul(transpose(j_p), real(qtf, real128))
        do j = 1, n
            if (faces(j) == 0) cycle
            a(j, :) = 0
            a(j, j) = 1
            b(j) = merge(low(j), high(j), faces(j) == 1)
        end do
        ! Held rows are rows of the identity; what is left is positive definite: no pivoting.
        do j = 1, n
            do i = j + 1, n
                factor = a(i, j)/a(j, j)
                a(i, j:) = a(i, j:) - factor*a(j, j:)
                b(i) = b(i) - factor*b(j)
            end do
        end do
        do j = n, 1, -1
            b(j) = (b(j) - sum(a(j, j + 1:)*b(j + 1:)))/a(j, j)
        end do
        p = real(b, wp)
    end function minimum_on_face

    !> What is held does not move, and the others step as if its column were not there.
    subroutine check_free_columns()
        integer, parameter :: m = 12, n = 4
        real(wp) :: rows(m, n + 1), some(m, 3), r(n, n), qtf(n), diag(n), step(n), trial(n), wa1(n), wa2(n), x(n)
        real(wp) :: free_rows(n*(n + 1)), free_r(n*n), s(n*(n + 1)), r2(2, 2), qtf2(2), diag2(2), z(2), s2(2, 2)
        real(wp) :: wa(2, 3), par, plain
        integer :: ipvt(n), ipvt2(2), k
        logical :: reached(n)

        do k = 1, 20
            rows = random_matrix(m, n + 1)
            some = rows(:, [1, 3, 5])
            x = random_vector(n)
            call factor_rows(m, n, rows, r, qtf, ipvt, diag, wa1, wa2)
            par = 0.0_wp
            call bounded_step(n, x, x - 100.0_wp, x + 100.0_wp, [.false., .true., .false., .true.], r, qtf, ipvt, &
                              diag, 0.3_wp, par, step, trial, reached, free_rows, free_r, s)
            call factor_rows(m, 2, some, r2, qtf2, ipvt2, diag2, wa1, wa2)
            plain = 0.0_wp
            call lmpar(2, r2, ipvt2, diag2, qtf2, 0.3_wp, plain, z, s2, wa(:, 1), wa(:, 2), wa(:, 3))
            call check(step(2) == 0.0_wp .and. step(4) == 0.0_wp, "what is held does not move")
            ! Two factorisations of a well conditioned matrix instead of one.
            call check_at_most(maxval(abs(step([1, 3]) + z)), 1.0e3_wp*eps, "the others move as without it")
            call check_at_most(abs(par - plain), 1.0e4_wp*eps*(1.0_wp + plain), "with the same damping")
        end do
    end subroutine check_free_columns

    !> A step that is NaN reaches no bound.
    subroutine check_nan()
        real(wp) :: r(2, 2), step(2), trial(2), free_rows(6), free_r(4), s(6), par
        logical :: reached(2)

        r = reshape([1.0_wp, 0.0_wp, 0.5_wp, 1.0_wp], [2, 2])
        par = 0.0_wp
        call bounded_step(2, [0.5_wp, 0.5_wp], [0.0_wp, 0.0_wp], [1.0_wp, 1.0_wp], [.false., .false.], r, &
                          [not_a_number, 0.1_wp], [1, 2], [1.0_wp, 1.0_wp], 1.0_wp, par, step, trial, reached, &
                          free_rows, free_r, s)
        call check(.not. any(reached), "NaN reaches no bound")
        call check(trial(1) /= trial(1), "NaN stays NaN")
    end subroutine check_nan

    !> Three times short of a bound, then onto it; from the start again once it was left alone.
    subroutine check_hesitation()
        real(wp), parameter :: shares(4) = [0.7_wp, 0.9_wp, 0.97_wp, 1.0_wp]
        real(wp) :: hits(2), step(2), trial(2)
        logical :: hesitant
        integer :: k

        hits = 0.0_wp
        do k = 1, 4
            step = [-2.0_wp, 0.5_wp]
            trial = [0.0_wp, 1.5_wp]
            call hesitate(2, [2.0_wp, 1.0_wp], [.true., .false.], hits, step, trial, hesitant)
            call check_at_most(abs(step(1) + 2.0_wp*shares(k)), 2*eps, "share of the way at hit "//digits_of(k))
            call check(hesitant .eqv. k < 4, "whether it hesitates")
            call check(step(2) == 0.5_wp .and. trial(2) == 1.5_wp, "others go their way")
            call count_hits(2, [1.0_wp, 0.0_wp], hits)
        end do
        call check(trial(1) == 0.0_wp, "onto the bound in the end")
        call count_hits(2, [0.0_wp, 0.0_wp], hits)
        call check(all(hits == 0.0_wp), "the count starts anew")
    end subroutine check_hesitation

    !> Differences: forward, else backward, else towards the farther bound, never outside.
    subroutine check_differences()
        real(wp) :: h, shifted

        call box_difference(1.0_wp, 0.0_wp, 2.0_wp, 0.1_wp, h, shifted)
        call check(h == 0.1_wp .and. shifted == 1.0_wp + 0.1_wp, "forward")
        call box_difference(1.95_wp, 0.0_wp, 2.0_wp, 0.1_wp, h, shifted)
        call check(h == -0.1_wp .and. shifted == 1.95_wp - 0.1_wp, "backward")
        call box_difference(1.96_wp, 1.9_wp, 2.0_wp, 0.1_wp, h, shifted)
        call check(shifted == 1.9_wp .and. h == 1.9_wp - 1.96_wp, "down to the bound")
        call box_difference(1.92_wp, 1.9_wp, 2.0_wp, 0.1_wp, h, shifted)
        call check(shifted == 2.0_wp .and. h == 2.0_wp - 1.92_wp, "up to the bound")
        call box_difference(2.0_wp, 1.9_wp, 2.0_wp, 0.05_wp, h, shifted)
        call check(h == -0.05_wp, "from the bound inwards")
    end subroutine check_differences

end program test_active
