! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> Forward differences against their definition and against analytic derivatives; the check of a Jacobian.
program test_differences
    use kinds, only: wp, eps
    use differences, only: difference_step, fdjac2
    use jacobian_check, only: chkder
    use testing, only: check, check_at_most, check_equal, finish, digits_of
    use matrices, only: random_matrix, random_vector, greatest
    use problems, only: sizes, names, residuals, jacobian, starting_point
    use curved_model, only: curve_jacobian, curve_second, evaluate_curve, calls, stop_at
    implicit none (type, external)

    integer :: k

    call check_step()
    call check_definition()
    call check_accuracy(0.0_wp)
    call check_accuracy(1.0e-10_wp)
    call check_stop()
    call check_neighbour()
    do k = 1, size(sizes)
        call check_right_and_wrong(sizes(k)%problem, sizes(k)%n, sizes(k)%m)
    end do
    call check_measure()
    call finish()

contains

    subroutine check_step()
        call check(difference_step(-2.0_wp, 0.0_wp) == 2.0_wp*sqrt(eps), "step: relative to |x|")
        call check(difference_step(0.0_wp, 0.0_wp) == sqrt(eps), "step: absolute at zero")
        call check(difference_step(2.0_wp, 1.0e-4_wp) == 2.0_wp*sqrt(1.0e-4_wp), "step: from the error of f")
        call check(difference_step(2.0_wp, eps/4.0_wp) == 2.0_wp*sqrt(eps), "step: an error below eps counts as eps")
    end subroutine check_step

    !> Column j is (f(x + h e_j) - f(x))/h to the bit; x comes back; rows beyond m are not touched.
    subroutine check_definition()
        integer, parameter :: m = 7, ld = 9
        real(wp) :: x(3), shifted(3), before(3), f(m), fjac(ld, 3), work(m), h
        integer :: iflag, j

        x = [0.3_wp, -1.7_wp, 0.0_wp]
        before = x
        f = values(m, x)
        fjac = huge(1.0_wp)
        calls = 0
        call fdjac2(evaluate_curve, m, 3, x, f, fjac, ld, iflag, 0.0_wp, work)
        call check_equal(calls, 3, "differences: evaluations")
        do j = 1, 3
            h = difference_step(x(j), 0.0_wp)
            shifted = x
            shifted(j) = x(j) + h
            call check(all(fjac(:m, j) == (values(m, shifted) - f)/h), "differences: definition, column "//digits_of(j))
        end do
        call check(iflag >= 0, "differences: no stop")
        call check(all(x == before), "differences: x is put back")
        call check(all(fjac(m + 1:, :) == huge(1.0_wp)), "differences: rows beyond m are untouched")
    end subroutine check_definition

    !> The residuals as `fdjac2` gets them; a copy of the model compiled elsewhere may round differently.
    function values(m, x) result(f)
        integer, intent(in) :: m
        real(wp), intent(in) :: x(3)
        real(wp) :: f(m)

        integer :: iflag

        iflag = 1
        call evaluate_curve(m, 3, x, f, iflag)
    end function values

    !> The error is half a step times the second derivative, and the rounding of f (two units each) over the step.
    subroutine check_accuracy(epsfcn)
        real(wp), intent(in) :: epsfcn

        integer, parameter :: m = 50
        real(wp) :: x(3), f(m), fjac(m, 3), analytic(m, 3), second(m, 3), work(m), h, rounding(m), bound(m)
        integer :: iflag, j

        x = [0.8_wp, 1.3_wp, -0.6_wp]
        f = values(m, x)
        analytic = curve_jacobian(m, x)
        second = curve_second(m, x)
        rounding = 4.0_wp*eps*(1.0_wp + x(2)**2 + abs(x(3)))
        call fdjac2(evaluate_curve, m, 3, x, f, fjac, m, iflag, epsfcn, work)
        do j = 1, 3
            h = difference_step(x(j), epsfcn)
            bound = 0.5_wp*h*abs(second(:, j))*1.001_wp + rounding/h
            call check_at_most(greatest((fjac(:, j) - analytic(:, j))/bound), 1.0_wp, &
                               "differences: error over its bound, column "//digits_of(j))
        end do
    end subroutine check_accuracy

    subroutine check_stop()
        real(wp) :: x(3), before(3), f(7), fjac(7, 3), work(7)
        integer :: iflag

        x = [0.3_wp, -1.7_wp, 0.5_wp]
        before = x
        f = values(7, x)
        fjac = huge(1.0_wp)
        calls = 0
        stop_at = 2
        call fdjac2(evaluate_curve, 7, 3, x, f, fjac, 7, iflag, 0.0_wp, work)
        stop_at = 0
        call check_equal(iflag, -3, "differences, stopped: iflag")
        call check_equal(calls, 2, "differences, stopped: evaluations")
        call check(all(x == before), "differences, stopped: x is put back")
        call check(all(fjac(:, 2:) == huge(1.0_wp)), "differences, stopped: the columns that are left are untouched")
    end subroutine check_stop

    !> Mode 1 moves every parameter by a relative sqrt(eps), absolute at zero.
    subroutine check_neighbour()
        real(wp) :: x(3), xp(3), f(1), fjac(1, 3), err(1)

        x = [2.0_wp, -3.0_wp, 0.0_wp]
        f = 0.0_wp
        fjac = 0.0_wp
        err = -1.0_wp
        call chkder(1, 3, x, f, fjac, 1, xp, f, 1, err)
        call check(all(xp == x + sqrt(eps)*[2.0_wp, 3.0_wp, 1.0_wp]), "neighbour: a relative sqrt(eps) away")
        call check(all(err == -1.0_wp), "neighbour: no verdict yet")
    end subroutine check_neighbour

    !> The verdict on every test problem: its own Jacobian is right, with a row negated that row is wrong.
    subroutine check_right_and_wrong(problem, n, m)
        integer, intent(in) :: problem, n, m

        real(wp) :: x(n), xp(n), f(m), fp(m), fjac(m, n), err(m), wrong(m)
        character(:), allocatable :: what
        integer :: row

        what = "check of "//trim(names(problem))//" "//digits_of(m)//" x "//digits_of(n)
        x = starting_point(problem, n, 1.0_wp)
        x = x + 0.1_wp*(1.0_wp + abs(x))*random_vector(n)
        f = residuals(problem, m, x)
        fjac = jacobian(problem, m, x)
        call chkder(m, n, x, f, fjac, m, xp, fp, 1, err)
        fp = residuals(problem, m, xp)
        call chkder(m, n, x, f, fjac, m, xp, fp, 2, err)
        call check(all(err > 0.5_wp .and. err <= 1.0_wp), what//": right rows are called right")

        row = m/2 + 1
        fjac(row, :) = -fjac(row, :)
        call chkder(m, n, x, f, fjac, m, xp, fp, 2, wrong)
        call check(wrong(row) == 0.0_wp, what//": a negated row is called wrong")
        wrong(row) = err(row)
        call check(all(wrong == err), what//": the verdict on other rows does not change")
    end subroutine check_right_and_wrong

    !> The measure is the share of the digits a difference can show: a relative error of 1e-2 has 2 of 7.8.
    subroutine check_measure()
        integer, parameter :: m = 5, n = 2
        real(wp), parameter :: errors(m) = [0.0_wp, 1.0e-2_wp, 1.0e-4_wp, 3.0_wp, -1.0_wp]
        real(wp) :: a(m, n), x(n), xp(n), zero(m), err(m), expected(m)
        integer :: i

        ! A linear function that is zero at x: its change is not rounded to the precision of a larger value.
        a = abs(random_matrix(m, n)) + 1.0_wp
        x = [1.0_wp, 2.0_wp]
        zero = 0.0_wp
        call chkder(m, n, x, zero, a, m, xp, zero, 1, err)
        do i = 1, m
            expected(i) = 1.0_wp
            if (errors(i) > 0.0_wp) expected(i) = log10(errors(i)/(1.0_wp + errors(i)))/log10(sqrt(eps))
            if (errors(i) < 0.0_wp) expected(i) = 0.0_wp
        end do
        call chkder(m, n, x, zero, a*spread(1.0_wp + errors, 2, n), m, xp, matmul(a, xp - x), 2, err)
        call check_at_most(greatest(err - expected), 1.0e-10_wp, "measure: error of its scale")
    end subroutine check_measure

end program test_differences
